/// Cells of a FITS binary table to and from the big-endian bytes of its rows.
///
/// Whole rows go through cfitsio as bytes and are coded here column by column: cfitsio's own column calls seek once
/// for each column and row, which for a table of one text and one vector is the greater part of the time.
extension FITSTableLayout {
    // MARK: - Encoding

    /// The bytes of the given rows of a block. `firstRow` is the table row of the first, for error messages.
    func encode(
        _ block: Catalog, rows: Range<Int>, firstRow: Int, path: String
    ) throws(CatalogError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: rows.count * rowWidth)
        for (field, column) in zip(fields, block.columns) {
            if let bad = encode(column.values, field, rows, into: &bytes) {
                throw CatalogError(
                    .table, path: path, row: firstRow + bad - rows.lowerBound, column: field.schema.name,
                    field.null.map { "the value \($0) is reserved for missing values (TNULL)" }
                        ?? "a value is missing, but no number is left to stand for it")
            }
        }
        return bytes
    }

    /// Encodes one column; the block's row whose cell cannot be written, or nil.
    private func encode(_ values: ColumnValues, _ field: Field, _ rows: Range<Int>, into bytes: inout [UInt8]) -> Int? {
        func integers<Value: FixedWidthInteger>(_ cells: [Value?]) -> Int? {
            let null = field.null.flatMap { Value(exactly: $0) }
            var offset = field.offset
            for row in rows {
                guard let value = cells[row] ?? null, cells[row] == nil || cells[row] != null else { return row }
                store(value.bigEndian, at: offset, in: &bytes)
                offset += rowWidth
            }
            return nil
        }
        var offset = field.offset
        switch values {
        case .string(let cells):
            for row in rows {
                if let text = cells[row] {
                    let encoded = FITSText.encode(text)
                    bytes.replaceSubrange(offset..<offset + encoded.count, with: encoded)
                }
                offset += rowWidth
            }
        case .bool(let cells):
            for row in rows {
                bytes[offset] = cells[row].map { $0 ? UInt8(ascii: "T") : UInt8(ascii: "F") } ?? 0
                offset += rowWidth
            }
        case .uint8(let cells): return integers(cells)
        case .int16(let cells): return integers(cells)
        case .int32(let cells): return integers(cells)
        case .int64(let cells): return integers(cells)
        case .float(let cells): storeFloats(cells, field, rows, into: &bytes)
        case .floatVector(let cells, _): storeFloats(cells, field, rows, into: &bytes)
        case .double(let cells): storeDoubles(cells, field, rows, into: &bytes)
        case .doubleVector(let cells, _): storeDoubles(cells, field, rows, into: &bytes)
        }
        return nil
    }

    private func store(_ value: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: type(of: value)) }
    }

    private func storeFloats(_ cells: [Float], _ field: Field, _ rows: Range<Int>, into bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { bytes in
            for (slot, row) in rows.enumerated() {
                let start = slot * rowWidth + field.offset
                for index in 0..<field.count {
                    bytes.storeBytes(
                        of: cells[row * field.count + index].bitPattern.bigEndian, toByteOffset: start + 4 * index,
                        as: UInt32.self)
                }
            }
        }
    }

    private func storeDoubles(_ cells: [Double], _ field: Field, _ rows: Range<Int>, into bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { bytes in
            for (slot, row) in rows.enumerated() {
                let start = slot * rowWidth + field.offset
                for index in 0..<field.count {
                    bytes.storeBytes(
                        of: cells[row * field.count + index].bitPattern.bigEndian, toByteOffset: start + 8 * index,
                        as: UInt64.self)
                }
            }
        }
    }

    // MARK: - Decoding

    /// Adds the cells of one column to `values`, which has the field's type.
    ///
    /// - Parameter bytes: `rowCount` whole rows.
    /// - Returns: the row (within the block) whose value does not fit the type, or nil.
    func decode(
        _ field: Field, _ bytes: [UInt8], rowCount: Int, into values: inout ColumnValues
    ) -> Int? {
        let fits: Int?
        switch values {
        case .string(var cells):
            values = .empty(.text)
            for row in 0..<rowCount {
                let start = row * rowWidth + field.offset
                cells.append(FITSText.decode(bytes[start..<start + field.count]))
            }
            values = .string(cells)
            fits = nil
        case .bool(var cells):
            values = .empty(.bool)
            for row in 0..<rowCount {
                switch bytes[row * rowWidth + field.offset] {
                case UInt8(ascii: "T"): cells.append(true)
                case UInt8(ascii: "F"): cells.append(false)
                default: cells.append(nil)
                }
            }
            values = .bool(cells)
            fits = nil
        case .uint8(var cells):
            values = .empty(.uint8)
            fits = appendIntegers(field, bytes, rowCount, to: &cells)
            values = .uint8(cells)
        case .int16(var cells):
            values = .empty(.int16)
            fits = appendIntegers(field, bytes, rowCount, to: &cells)
            values = .int16(cells)
        case .int32(var cells):
            values = .empty(.int32)
            fits = appendIntegers(field, bytes, rowCount, to: &cells)
            values = .int32(cells)
        case .int64(var cells):
            values = .empty(.int64)
            fits = appendIntegers(field, bytes, rowCount, to: &cells)
            values = .int64(cells)
        case .float(var cells):
            values = .empty(.float)
            appendFloats(field, bytes, rowCount, to: &cells)
            values = .float(cells)
            fits = nil
        case .floatVector(var cells, let width):
            values = .empty(.float)
            appendFloats(field, bytes, rowCount, to: &cells)
            values = .floatVector(cells, width: width)
            fits = nil
        case .double(var cells):
            values = .empty(.double)
            appendDoubles(field, bytes, rowCount, to: &cells)
            values = .double(cells)
            fits = nil
        case .doubleVector(var cells, let width):
            values = .empty(.double)
            appendDoubles(field, bytes, rowCount, to: &cells)
            values = .doubleVector(cells, width: width)
            fits = nil
        }
        return fits
    }

    /// The stored integer as it is in the file, and the value it stands for (nil when it does not fit Int64).
    private func integer(_ field: Field, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> (Int64, Int64?) {
        switch field.storage {
        case .uint8: return same(Int64(bytes[offset]))
        case .int8: return (Int64(bytes[offset]), Int64(bytes[offset]) - 128)
        case .int16: return same(Int64(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self))))
        case .uint16:
            let stored = Int64(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self)))
            return (stored, stored + 32768)
        case .int32: return same(Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))))
        case .uint32:
            let stored = Int64(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
            return (stored, stored + 2_147_483_648)
        case .uint64:
            let stored = Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
            return (stored, stored < 0 ? stored &- Int64.min : nil)
        default: return same(Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)))
        }
    }

    private func same(_ value: Int64) -> (Int64, Int64?) { (value, value) }

    private func appendIntegers<Value: FixedWidthInteger>(
        _ field: Field, _ bytes: [UInt8], _ rowCount: Int, to cells: inout [Value?]
    ) -> Int? {
        bytes.withUnsafeBytes { bytes in
            for row in 0..<rowCount {
                let (stored, value) = integer(field, bytes, row * rowWidth + field.offset)
                if stored == field.null {
                    cells.append(nil)
                } else if let value, let fitting = Value(exactly: value) {
                    cells.append(fitting)
                } else {
                    return row
                }
            }
            return nil
        }
    }

    /// Appends the values of a `float` field to a plain array, row after row.
    func appendFloats(_ field: Field, _ bytes: [UInt8], _ rowCount: Int, to cells: inout [Float]) {
        bytes.withUnsafeBytes { bytes in
            for row in 0..<rowCount {
                let start = row * rowWidth + field.offset
                for index in 0..<field.count {
                    let bits = UInt32(
                        bigEndian: bytes.loadUnaligned(fromByteOffset: start + 4 * index, as: UInt32.self))
                    cells.append(Float(bitPattern: bits))
                }
            }
        }
        if field.isScaled {
            for index in cells.index(cells.endIndex, offsetBy: -rowCount * field.count)..<cells.endIndex {
                cells[index] = Float(Double(cells[index]) * field.scale + field.zero)
            }
        }
    }

    private func appendDoubles(_ field: Field, _ bytes: [UInt8], _ rowCount: Int, to cells: inout [Double]) {
        bytes.withUnsafeBytes { bytes in
            for row in 0..<rowCount {
                for index in 0..<field.count {
                    let offset = row * rowWidth + field.offset + index * field.elementSize
                    let raw: Double
                    if field.storage == .double {
                        raw = Double(
                            bitPattern: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
                    } else {
                        let (stored, value) = integer(field, bytes, offset)
                        raw = stored == field.null ? .nan : value.map(Double.init) ?? .nan
                    }
                    cells.append(field.isScaled ? raw * field.scale + field.zero : raw)
                }
            }
        }
    }
}
