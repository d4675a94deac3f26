import Foundation

/// Reads and checks the JSON header of a safetensors file.
enum SafetensorsHeader {
    static func parse(
        _ header: [UInt8], dataLength: Int, path: String
    ) throws(SafetensorsError) -> (entries: [Safetensors.Entry], metadata: [String: String]) {
        func invalid(_ reason: String, _ tensor: String? = nil) -> SafetensorsError {
            SafetensorsError(.invalidFile, path: path, tensor: tensor, reason: reason)
        }
        // Nesting deeper than a header has would only exercise the JSON parser's stack.
        guard header.first == UInt8(ascii: "{") else { throw invalid("the header does not begin with \"{\"") }
        guard depth(of: header) <= 4 else { throw invalid("the header is nested too deeply") }
        let parsed: [String: Value]
        do {
            parsed = try JSONDecoder().decode([String: Value].self, from: Data(header))
        } catch {
            throw invalid("the header is not the JSON that it should be (\(summary(of: error)))")
        }
        var metadata: [String: String] = [:]
        var entries: [Safetensors.Entry] = []
        for (name, value) in parsed {
            switch value {
            case .metadata(let strings):
                guard name == "__metadata__" else { throw invalid("dtype, shape and data_offsets are missing", name) }
                metadata = strings
            case .tensor(let tensor):
                guard name != "__metadata__" else { throw invalid("__metadata__ is not a table of strings") }
                entries.append(try check(name, tensor, dataLength: dataLength, invalid))
            }
        }
        entries.sort {
            ($0.range.lowerBound, $0.range.upperBound, $0.name) < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        var end = 0
        for entry in entries {
            guard entry.range.lowerBound == end else {
                throw invalid(
                    "its bytes begin at \(entry.range.lowerBound), the tensor before ends at \(end)", entry.name)
            }
            end = entry.range.upperBound
        }
        guard end == dataLength else { throw invalid("the tensors fill \(end) bytes, the file has \(dataLength)") }
        return (entries, metadata)
    }

    private static func check(
        _ name: String, _ tensor: Description, dataLength: Int, _ invalid: (String, String?) -> SafetensorsError
    ) throws(SafetensorsError) -> Safetensors.Entry {
        guard let type = SafetensorsType(rawValue: tensor.dtype) else {
            throw invalid("unknown type \"\(tensor.dtype.prefix(20))\"", name)
        }
        guard tensor.data_offsets.count == 2, tensor.data_offsets[0] >= 0,
            tensor.data_offsets[0] <= tensor.data_offsets[1], tensor.data_offsets[1] <= dataLength
        else { throw invalid("data_offsets \(tensor.data_offsets.prefix(4)) are not inside 0...\(dataLength)", name) }
        var byteCount = type.byteCount
        for length in tensor.shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflow else { throw invalid("impossible shape \(tensor.shape.prefix(8))", name) }
            byteCount = product
        }
        let range = tensor.data_offsets[0]..<tensor.data_offsets[1]
        guard range.count == byteCount else {
            throw invalid(
                "shape \(tensor.shape.prefix(8)) of \(tensor.dtype) needs \(byteCount) bytes, it has \(range.count)",
                name)
        }
        return Safetensors.Entry(name: name, type: tensor.dtype, shape: tensor.shape, range: range)
    }

    /// How deeply braces and brackets nest, outside strings.
    private static func depth(of json: [UInt8]) -> Int {
        var (depth, deepest, inString, escaped) = (0, 0, false, false)
        for byte in json {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        return deepest
    }

    private static func summary(of error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        return switch error {
        case .dataCorrupted(let context), .keyNotFound(_, let context), .typeMismatch(_, let context),
            .valueNotFound(_, let context):
            context.debugDescription
        @unknown default: "not decodable"
        }
    }

    private struct Description: Decodable {
        var dtype: String
        var shape: [Int]
        // The file's own key.
        var data_offsets: [Int]
    }

    private enum Value: Decodable {
        case tensor(Description)
        case metadata([String: String])

        init(from decoder: any Decoder) throws {
            if let strings = try? decoder.singleValueContainer().decode([String: String].self) {
                self = .metadata(strings)
            } else {
                self = .tensor(try Description(from: decoder))
            }
        }
    }
}

/// The element types of safetensors files, with their conversion to float32.
enum SafetensorsType: String {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"
    case float8e4m3 = "F8_E4M3"
    case float8e5m2 = "F8_E5M2"

    var byteCount: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool, .float8e4m3, .float8e5m2: 1
        }
    }

    /// The values of little-endian elements, or nil for types that have no conversion here.
    func floats(_ bytes: [UInt8]) -> [Float]? {
        func load<Element: FixedWidthInteger>(_ type: Element.Type, _ convert: (Element) -> Float) -> [Float] {
            bytes.withUnsafeBytes { raw in
                (0..<(raw.count / MemoryLayout<Element>.size)).map {
                    convert(
                        Element(
                            littleEndian: raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.size, as: type)))
                }
            }
        }
        switch self {
        case .float64: return load(UInt64.self) { Float(Double(bitPattern: $0)) }
        case .float32: return load(UInt32.self) { Float(bitPattern: $0) }
        case .float16: return load(UInt16.self) { SafetensorsType.half($0) }
        case .bfloat16: return load(UInt16.self) { BFloat16.value($0) }
        case .int64: return load(Int64.self) { Float($0) }
        case .int32: return load(Int32.self) { Float($0) }
        case .int16: return load(Int16.self) { Float($0) }
        case .int8: return load(Int8.self) { Float($0) }
        case .uint64: return load(UInt64.self) { Float($0) }
        case .uint32: return load(UInt32.self) { Float($0) }
        case .uint16: return load(UInt16.self) { Float($0) }
        case .uint8, .bool: return load(UInt8.self) { Float($0) }
        case .float8e4m3, .float8e5m2: return nil
        }
    }

    /// Binary16 to binary32; Swift's `Float16` is not there on every platform.
    static func half(_ bits: UInt16) -> Float {
        let (sign, exponent, fraction) = (UInt32(bits >> 15) << 31, UInt32(bits >> 10) & 31, UInt32(bits) & 1023)
        switch exponent {
        case 0: return (sign == 0 ? 1 : -1) * Float(fraction) * 0x1p-24
        case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
