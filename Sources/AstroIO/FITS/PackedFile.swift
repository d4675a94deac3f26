internal import CBZip2
internal import CFITSIO
internal import CZLIB
internal import Foundation

/// Files as they are and files packed by gzip, bzip2 or compress.
///
/// gzip and bzip2 are unpacked piece by piece against a limit, because a small file may claim to hold terabytes;
/// cfitsio, which could unpack them as well, would not stop. The rare `.Z` goes through cfitsio.
enum PackedFile {
    /// The largest file that is unpacked, in bytes.
    static let limit = 1 << 33

    /// The bytes of a file, unpacked if it is packed.
    ///
    /// - Throws: `ImageError` (`access`, `damaged`).
    static func read(_ path: String) throws(ImageError) -> [UInt8] {
        let bytes: [UInt8]
        do {
            bytes = try FileBytes.read(path)
        } catch {
            throw ImageError(.access, path: path, error.reason)
        }
        guard !bytes.isEmpty else { throw ImageError(.damaged, path: path, "is empty") }
        if bytes.starts(with: [0x1f, 0x8b]) { return try gunzip(bytes, path) }
        if bytes.starts(with: Array("BZh".utf8)) { return try bunzip(bytes, path) }
        if bytes.starts(with: [0x1f, 0x9d]) { return try uncompress(path) }
        return bytes
    }

    /// Size on disk, and how the file is packed.
    static func packing(_ path: String) throws(ImageError) -> (size: Int, name: String?) {
        let bytes: [UInt8]
        do { bytes = try FileBytes.read(path) } catch { throw ImageError(.access, path: path, error.reason) }
        let name =
            bytes.starts(with: [0x1f, 0x8b])
            ? "gzip"
            : bytes.starts(with: Array("BZh".utf8)) ? "bzip2" : bytes.starts(with: [0x1f, 0x9d]) ? "compress" : nil
        return (bytes.count, name)
    }

    /// Whether a part of `bytes` is one whole gzip stream of at most `limit` bytes unpacked.
    static func isGzipStream(_ bytes: [UInt8], _ range: Range<Int>, limit: Int) -> Bool {
        guard range.count < 1 << 31 else { return false }
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return false
        }
        defer { inflateEnd(&stream) }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        return bytes.withUnsafeBufferPointer { input in
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress! + range.lowerBound)
            stream.avail_in = UInt32(range.count)
            while true {
                let status = chunk.withUnsafeMutableBufferPointer { out in
                    stream.next_out = out.baseAddress
                    stream.avail_out = UInt32(out.count)
                    return inflate(&stream, Z_NO_FLUSH)
                }
                if Int(stream.total_out) > limit { return false }
                if status == Z_STREAM_END { return true }
                guard status == Z_OK else { return false }
            }
        }
    }

    private static func gunzip(_ packed: [UInt8], _ path: String) throws(ImageError) -> [UInt8] {
        var packed = packed
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw ImageError(.access, path: path, "zlib cannot start")
        }
        defer { inflateEnd(&stream) }
        var failure: ImageError?
        packed.withUnsafeMutableBufferPointer { input in
            var position = 0
            while failure == nil {
                // zlib counts in 32 bits.
                if stream.avail_in == 0 {
                    let next = min(1 << 30, input.count - position)
                    stream.next_in = input.baseAddress! + position
                    stream.avail_in = UInt32(next)
                    position += next
                }
                let capacity = chunk.count
                let status = chunk.withUnsafeMutableBufferPointer { buffer in
                    stream.next_out = buffer.baseAddress
                    stream.avail_out = UInt32(capacity)
                    return inflate(&stream, Z_NO_FLUSH)
                }
                out += chunk[0..<(capacity - Int(stream.avail_out))]
                if out.count > limit {
                    failure = ImageError(.damaged, path: path, "unpacks to more than 8 GiB")
                } else if status == Z_STREAM_END {
                    // A gzip file may hold several members one after the other; anything else behind is ignored.
                    let rest = Int(stream.avail_in) + input.count - position
                    let at = input.count - rest
                    guard rest > 2, input[at] == 0x1f, input[at + 1] == 0x8b, inflateReset(&stream) == Z_OK else {
                        return
                    }
                } else if status == Z_BUF_ERROR
                    || (status == Z_OK && stream.avail_in == 0 && position == input.count && stream.avail_out > 0)
                {
                    failure = ImageError(.damaged, path: path, "the gzip data is truncated")
                } else if status != Z_OK {
                    failure = ImageError(.damaged, path: path, "the gzip data is damaged")
                }
            }
        }
        if let failure { throw failure }
        return out
    }

    private static func bunzip(_ packed: [UInt8], _ path: String) throws(ImageError) -> [UInt8] {
        var packed = packed
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var stream = bz_stream()
        guard BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK else {
            throw ImageError(.access, path: path, "bzip2 cannot start")
        }
        defer { BZ2_bzDecompressEnd(&stream) }
        var failure: ImageError?
        packed.withUnsafeMutableBytes { input in
            var position = 0
            while failure == nil {
                if stream.avail_in == 0 {
                    let next = min(1 << 30, input.count - position)
                    stream.next_in = (input.baseAddress! + position).assumingMemoryBound(to: CChar.self)
                    stream.avail_in = UInt32(next)
                    position += next
                }
                let capacity = chunk.count
                let status = chunk.withUnsafeMutableBytes { buffer in
                    stream.next_out = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                    stream.avail_out = UInt32(capacity)
                    return BZ2_bzDecompress(&stream)
                }
                let made = capacity - Int(stream.avail_out)
                out += chunk[0..<made]
                if out.count > limit {
                    failure = ImageError(.damaged, path: path, "unpacks to more than 8 GiB")
                } else if status == BZ_STREAM_END {
                    let rest = Int(stream.avail_in) + input.count - position
                    let at = input.count - rest
                    guard rest > 4, input[at] == UInt8(ascii: "B"), input[at + 1] == UInt8(ascii: "Z") else { return }
                    BZ2_bzDecompressEnd(&stream)
                    stream = bz_stream()
                    guard BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK else { return }
                    position = at
                } else if status != BZ_OK {
                    failure = ImageError(.damaged, path: path, "the bzip2 data is damaged")
                } else if made == 0, stream.avail_in == 0, position == input.count {
                    failure = ImageError(.damaged, path: path, "the bzip2 data is truncated")
                }
            }
        }
        if let failure { throw failure }
        return out
    }

    /// A file packed by compress (LZW), unpacked by cfitsio into memory.
    private static func uncompress(_ path: String) throws(ImageError) -> [UInt8] {
        var file: UnsafeMutablePointer<fitsfile>?
        var status: Int32 = 0
        guard ffdkopn(&file, path, READONLY, &status) == 0, let file else {
            ffcmsg()
            throw ImageError(.damaged, path: path, "the compressed (.Z) data cannot be unpacked")
        }
        defer {
            status = 0
            ffclos(file, &status)
            ffcmsg()
        }
        let size = Int(file.pointee.Fptr.pointee.filesize)
        var bytes = [UInt8](repeating: 0, count: size)
        ffmbyt(file, 0, 0, &status)
        ffgbyt(file, LONGLONG(size), &bytes, &status)
        guard status == 0 else { throw ImageError(.damaged, path: path, "the compressed (.Z) data is truncated") }
        return bytes
    }
}
