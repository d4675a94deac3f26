import Glibc

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a temporary name in the same folder; `commit()` renames it. A file that is dropped before that is
/// removed, so a reader never sees half a table and a failed run leaves the old one in place.
struct PendingFile: ~Copyable {
    let path: String
    let temporaryPath: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []

    private static let bufferSize = 1 << 18

    init(_ path: String) throws(CatalogError) {
        self.path = path
        self.temporaryPath = PendingFile.temporaryPath(for: path)
        self.descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw CatalogError(.file, path: path, "cannot be created: \(PendingFile.systemMessage())")
        }
        buffer.reserveCapacity(PendingFile.bufferSize + 4096)
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            unlink(temporaryPath)
        }
    }

    mutating func write(_ text: String) throws(CatalogError) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= PendingFile.bufferSize { try flush() }
    }

    /// Writes what is left and gives the file its name.
    consuming func commit() throws(CatalogError) {
        try flush()
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0 else {
            unlink(temporaryPath)
            throw CatalogError(.file, path: path, "cannot be written: \(PendingFile.systemMessage())")
        }
        try PendingFile.rename(temporaryPath, to: path)
    }

    private mutating func flush() throws(CatalogError) {
        var start = 0
        while start < buffer.count {
            let written = buffer.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + start, $0.count - start) }
            if written < 0 {
                if errno == EINTR { continue }
                throw CatalogError(.file, path: path, "cannot be written: \(PendingFile.systemMessage())")
            }
            start += written
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// A name beside `path` that no other writer uses.
    static func temporaryPath(for path: String) -> String {
        "\(path).\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
    }

    /// Moves a finished file to its name, replacing what is there; removes it where that fails.
    static func rename(_ temporaryPath: String, to path: String) throws(CatalogError) {
        guard Glibc.rename(temporaryPath, path) == 0 else {
            let message = systemMessage()
            unlink(temporaryPath)
            throw CatalogError(.file, path: path, "cannot be given its name: \(message)")
        }
    }

    static func systemMessage() -> String {
        String(cString: strerror(errno))
    }
}

/// The bytes of a file.
enum FileBytes {
    /// - Throws: `CatalogError` (`file`) when the file cannot be read or is a folder.
    static func read(_ path: String, atMost limit: Int = .max) throws(CatalogError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CatalogError(.file, path: path, "cannot be opened: \(PendingFile.systemMessage())")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            throw CatalogError(.file, path: path, "is not a file")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(limit, max(0, Int(status.st_size))))
        var chunk = [UInt8](repeating: 0, count: min(limit, 1 << 20))
        while bytes.count < limit {
            let wanted = min(chunk.count, limit - bytes.count)
            let count = Glibc.read(descriptor, &chunk, wanted)
            if count < 0 {
                if errno == EINTR { continue }
                throw CatalogError(.file, path: path, "cannot be read: \(PendingFile.systemMessage())")
            }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[0..<count])
        }
        return bytes
    }
}
