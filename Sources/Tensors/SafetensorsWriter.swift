import Foundation

/// Writes safetensors files: to a temporary name beside the target, then renamed, so that a file under its final name
/// is always whole.
public enum SafetensorsWriter {
    /// Writes tensors and metadata.
    ///
    /// - Parameters:
    ///   - tensors: in the order in which their bytes are to be laid out; names must differ.
    ///   - metadata: strings for `__metadata__`.
    public static func write(
        _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String
    ) throws(SafetensorsError) {
        let header = try header(tensors, metadata, path)
        let temporary = path + ".\(ProcessInfo.processInfo.processIdentifier).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path) }
        do throws(SafetensorsError) {
            var offset = 0
            try append(header, at: &offset, of: descriptor, path)
            for (_, tensor) in tensors { try append(tensor.detached.bytes(), at: &offset, of: descriptor, path) }
            guard fsync(descriptor) == 0 else { throw failure(path) }
        } catch {
            close(descriptor)
            unlink(temporary)
            throw error
        }
        guard close(descriptor) == 0, rename(temporary, path) == 0 else {
            let error = failure(path)
            unlink(temporary)
            throw error
        }
    }

    /// Length prefix and JSON, padded with spaces so that the data begin at a multiple of 8.
    private static func header(
        _ tensors: [(name: String, tensor: Tensor)], _ metadata: [String: String], _ path: String
    ) throws(SafetensorsError) -> [UInt8] {
        var items: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
            items.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var names: Set<String> = ["__metadata__"]
        var offset = 0
        for (name, tensor) in tensors {
            guard names.insert(name).inserted else {
                throw SafetensorsError(.invalidFile, path: path, tensor: name, reason: "the name is used twice")
            }
            let type =
                switch tensor.dtype {
                case .float32: "F32"
                case .bfloat16: "BF16"
                case .int32: "I32"
                }
            let end = offset + tensor.count * tensor.dtype.byteCount
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            items.append(
                "\(quoted(name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var json = Array("{\(items.joined(separator: ","))}".utf8)
        while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    }

    private static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func append(
        _ bytes: [UInt8], at offset: inout Int, of descriptor: Int32, _ path: String
    ) throws(SafetensorsError) {
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
            }
            guard written > 0 else { throw failure(path) }
            done += written
        }
        offset += done
    }

    private static func failure(_ path: String) -> SafetensorsError {
        SafetensorsError(.inputOutput, path: path, reason: "cannot be written: \(String(cString: strerror(errno)))")
    }
}
