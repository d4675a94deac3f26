internal import CSodium
import Foundation

/// SHA-256 of files and texts, as the provenance record states them.
public struct Digest: Sendable {
    private var state = crypto_hash_sha256_state()

    public init() {
        crypto_hash_sha256_init(&state)
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        crypto_hash_sha256_update(&state, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    public mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
    }

    /// The digest in 64 lower-case hexadecimal digits.
    public consuming func finish() -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        crypto_hash_sha256_final(&state, &digest)
        let digits = Array("0123456789abcdef")
        return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The digest of a file, read in pieces.
    ///
    /// - Throws: `PipelineError` when the file cannot be read.
    public static func ofFile(_ path: String) throws(PipelineError) -> String {
        guard let file = fopen(path, "rb") else {
            throw PipelineError(.input, path: path, String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        var digest = Digest()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let read = fread(&buffer, 1, buffer.count, file)
            if read == 0 { break }
            buffer.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0[..<read])) }
        }
        guard ferror(file) == 0 else { throw PipelineError(.input, path: path, "cannot be read to its end") }
        return digest.finish()
    }
}
