extension Tensor {
    // MARK: - Creation

    /// A tensor whose values are not set yet; the caller (an operation) writes all of them.
    public static func uninitialized(shape: [Int], dtype: DType = .float32, on backend: any Backend) -> Tensor {
        var count = 1
        for length in shape {
            require(length >= 0, "Tensor", expected: "axes that are not negative", got: "\(shape)")
            count *= length
        }
        return Tensor(shape: shape, dtype: dtype, storage: backend.allocate(byteCount: count * dtype.byteCount))
    }

    /// A float32 or bfloat16 tensor of the given values in row-major order.
    public init(_ values: [Float], shape: [Int], dtype: DType = .float32, on backend: any Backend) {
        let tensor = Tensor.uninitialized(shape: shape, dtype: .float32, on: backend)
        require(
            values.count == tensor.count, "Tensor", expected: "\(tensor.count) values for shape \(shape)",
            got: "\(values.count)")
        values.withUnsafeBytes { backend.upload($0, to: tensor.storage) }
        self = dtype == .float32 ? tensor : tensor.cast(to: dtype)
    }

    /// A float32 tensor copied from memory of the host in row-major order.
    public init(_ values: UnsafeBufferPointer<Float>, shape: [Int], on backend: any Backend) {
        self = Tensor.uninitialized(shape: shape, dtype: .float32, on: backend)
        require(
            values.count == count, "Tensor", expected: "\(count) values for shape \(shape)", got: "\(values.count)")
        backend.upload(UnsafeRawBufferPointer(values), to: storage)
    }

    /// A tensor of indices.
    public init(indices: [Int32], shape: [Int], on backend: any Backend) {
        self = Tensor.uninitialized(shape: shape, dtype: .int32, on: backend)
        require(
            indices.count == count, "Tensor", expected: "\(count) indices for shape \(shape)", got: "\(indices.count)")
        indices.withUnsafeBytes { backend.upload($0, to: storage) }
    }

    /// A tensor made of the raw little-endian bytes of its elements.
    public init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, on backend: any Backend) {
        self = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        require(
            bytes.count == count * dtype.byteCount, "Tensor", expected: "\(count * dtype.byteCount) bytes",
            got: "\(bytes.count)")
        backend.upload(bytes, to: storage)
    }

    /// A scalar.
    public init(_ value: Float, on backend: any Backend) {
        self.init([value], shape: [], on: backend)
    }

    /// A tensor of zeros.
    public static func zeros(_ shape: [Int], dtype: DType = .float32, on backend: any Backend) -> Tensor {
        full(shape, 0, dtype: dtype, on: backend)
    }

    /// A tensor of ones.
    public static func ones(_ shape: [Int], dtype: DType = .float32, on backend: any Backend) -> Tensor {
        full(shape, 1, dtype: dtype, on: backend)
    }

    /// A tensor with the same value everywhere.
    public static func full(
        _ shape: [Int], _ value: Float, dtype: DType = .float32, on backend: any Backend
    ) -> Tensor {
        let tensor = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        backend.fill(tensor, with: value)
        return tensor
    }

    // MARK: - Values on the host

    /// The values in row-major order, converted to float32.
    public func floats() -> [Float] {
        let source = dtype == .float32 ? self : detached.cast(to: .float32)
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            backend.download(
                source.storage, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count * 4))
            initialized = count
        }
    }

    /// The values of an index tensor in row-major order.
    public func indices() -> [Int32] {
        require(dtype == .int32, "indices", expected: "int32", got: dtype.rawValue)
        return [Int32](unsafeUninitializedCapacity: count) { buffer, initialized in
            backend.download(storage, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count * 4))
            initialized = count
        }
    }

    /// The raw little-endian bytes of the elements.
    public func bytes() -> [UInt8] {
        let byteCount = count * dtype.byteCount
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            backend.download(storage, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: byteCount))
            initialized = byteCount
        }
    }

    /// The value of a tensor with one element.
    public var scalar: Float {
        require(count == 1, "scalar", expected: "one element", got: "shape \(shape)")
        return floats()[0]
    }

    // MARK: - In place (for optimisers and for tensors nobody else uses)

    /// Overwrites all values.
    public func fill(_ value: Float) { backend.fill(self, with: value) }

    /// Overwrites the values with those of a tensor of the same shape; converts between element types.
    public func copyValues(from other: Tensor) {
        require(shape == other.shape, "copyValues", expected: "shape \(shape)", got: "\(other.shape)")
        if storage.backend === other.storage.backend {
            backend.convert(other, into: self)
        } else {
            let bytes = (other.dtype == dtype ? other.detached : other.detached.cast(to: dtype)).bytes()
            bytes.withUnsafeBytes { backend.upload($0, to: storage) }
        }
    }

    /// `self += scale · other`, in place; both float32 and of the same shape.
    public func addInPlace(_ other: Tensor, scale: Float = 1) {
        require(
            shape == other.shape && dtype == .float32 && other.dtype == .float32, "addInPlace",
            expected: "float32 \(shape)", got: "\(other.dtype.rawValue) \(other.shape)")
        backend.accumulate(other, scale: scale, into: self)
    }

    /// `self *= factor`, in place.
    public func scaleInPlace(_ factor: Float) { backend.affine(self, scale: factor, offset: 0, into: self) }

    /// A tensor with the same values on another backend (or the same one), with its own storage.
    public func copied(to backend: any Backend) -> Tensor {
        let copy = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        copy.copyValues(from: self)
        return copy
    }
}

extension Tensor: CustomStringConvertible {
    /// Type and shape, and the values where they are few.
    public var description: String {
        let head = "Tensor(\(dtype.rawValue) \(shape)"
        guard count <= 16 else { return head + ")" }
        return dtype == .int32 ? "\(head), \(indices()))" : "\(head), \(floats()))"
    }
}
