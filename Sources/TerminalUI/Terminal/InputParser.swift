/// Turns the bytes of a terminal into keys: UTF-8, control characters, and escape sequences (ECMA-48), in pieces of any size.
///
/// A sequence that is not known is swallowed whole; bytes that are no UTF-8 are dropped. A lone ESC is ambiguous until more comes
/// or nothing does: when `isPending`, wait 50 ms and call `flush`.
public struct InputParser: Sendable {
    private enum State: Sendable, Equatable {
        case ground
        case escape
        /// CSI with its parameters so far.
        case control([UInt8])
        /// SS3: one more byte.
        case shift
        /// OSC, DCS, APC, PM, SOS: text up to ST or BEL.
        case string(escaped: Bool)
        case paste
    }

    private var state = State.ground
    private var partial: [UInt8] = []
    private var pasted: [UInt8] = []
    private static let longestPaste = 1 << 16

    public init() {}

    /// Whether an ESC waits for what follows it.
    public var isPending: Bool { state == .escape }

    public mutating func feed(_ bytes: some Sequence<UInt8>) -> [Key] {
        var keys: [Key] = []
        for byte in bytes { take(byte, &keys) }
        return keys
    }

    /// Nothing followed: a waiting ESC was the key itself.
    public mutating func flush() -> [Key] {
        guard isPending else { return [] }
        state = .ground
        return [.escape]
    }

    private mutating func take(_ byte: UInt8, _ keys: inout [Key]) {
        switch state {
        case .ground: ground(byte, &keys)
        case .escape:
            state = .ground
            switch byte {
            case 0x5B: state = .control([])
            case 0x4F: state = .shift
            case 0x5D, 0x50, 0x58, 0x5E, 0x5F: state = .string(escaped: false)
            case 0x1B:
                keys.append(.escape)
                state = .escape
            case 0x20...0x7E: keys.append(.alt(Character(Unicode.Scalar(byte))))
            default:
                keys.append(.escape)
                ground(byte, &keys)
            }
        case .control(var parameters):
            switch byte {
            case 0x20...0x3F:
                parameters.append(byte)
                state = parameters.count < 64 ? .control(parameters) : .ground
            case 0x40...0x7E:
                state = .ground
                finish(parameters, byte, &keys)
            case 0x1B: state = .escape
            default: state = .ground
            }
        case .shift:
            state = .ground
            if let key = Self.letters[byte] { keys.append(key) }
        case .string(let escaped):
            if byte == 0x07 || (escaped && byte == 0x5C) {
                state = .ground
            } else {
                state = .string(escaped: byte == 0x1B)
            }
        case .paste: paste(byte, &keys)
        }
    }

    private mutating func ground(_ byte: UInt8, _ keys: inout [Key]) {
        if !partial.isEmpty || byte >= 0x80 {
            text(byte, &keys)
            return
        }
        switch byte {
        case 0x1B: state = .escape
        case 0x0D, 0x0A: keys.append(.enter)
        case 0x7F, 0x08: keys.append(.backspace)
        case 0x09: keys.append(.tab)
        case 0x01...0x1A: keys.append(.control(Character(Unicode.Scalar(byte + 0x60))))
        case 0x20...0x7E: keys.append(.character(Character(Unicode.Scalar(byte))))
        default: break
        }
    }

    private mutating func text(_ byte: UInt8, _ keys: inout [Key]) {
        if byte < 0x80 || byte >= 0xC0, !partial.isEmpty {
            // The character before was cut off.
            partial = []
            ground(byte, &keys)
            return
        }
        partial.append(byte)
        let length =
            switch partial[0] {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 0
            }
        if length == 0 {
            partial = []
        } else if partial.count == length {
            if let character = String(validating: partial, as: UTF8.self)?.first { keys.append(.character(character)) }
            partial = []
        }
    }

    private mutating func paste(_ byte: UInt8, _ keys: inout [Key]) {
        let closing: [UInt8] = [0x1B, 0x5B, 0x32, 0x30, 0x31, 0x7E]
        pasted.append(byte)
        if pasted.suffix(6) == closing[...] {
            keys.append(.paste(String(decoding: pasted.dropLast(6), as: UTF8.self)))
            pasted = []
            state = .ground
        } else if pasted.count > Self.longestPaste {
            pasted.removeFirst(Self.longestPaste / 2)
        }
    }

    private mutating func finish(_ parameters: [UInt8], _ final: UInt8, _ keys: inout [Key]) {
        let text = String(decoding: parameters, as: UTF8.self)
        if final == 0x63, text.hasPrefix("?") {
            keys.append(.attributes(text.dropFirst().split(separator: ";").compactMap { Int($0) }))
            return
        }
        if final == 0x7E {
            let number = Int(text.prefix { $0 != ";" }) ?? 0
            if number == 200 { state = .paste }
            if let key = Self.numbers[number] { keys.append(key) }
            return
        }
        if !text.hasPrefix("?"), let key = Self.letters[final] { keys.append(key) }
    }

    private static let letters: [UInt8: Key] = [
        0x41: .up, 0x42: .down, 0x43: .right, 0x44: .left, 0x48: .home, 0x46: .end, 0x4D: .enter,
    ]
    private static let numbers: [Int: Key] = [
        1: .home, 3: .delete, 4: .end, 5: .pageUp, 6: .pageDown, 7: .home, 8: .end,
    ]
}
