/// A dense array of numbers: contiguous, row-major, with its element type known at run time.
///
/// A tensor is a value of a few words that refers to a ``Storage``; copying it copies no numbers. Its values do not
/// change once computed, so any number of threads may read it. Operations are methods; they trap with a sentence
/// `[operation] expected …, got …` where the shapes are wrong, because that is a mistake of the program, not of
/// its input.
///
/// ```swift
/// let backend = CPUBackend(threads: 1)
/// let x = Tensor([1, 2, 3, 4], shape: [2, 2], on: backend)
/// let w = Tensor([1, 0, 0, 1], shape: [2, 2], on: backend)
/// print(x.linear(w).floats())                    // [1, 2, 3, 4]
///
/// let tape = Tape()
/// let watched = tape.watch(w)
/// let gradients = tape.gradients(of: x.linear(watched).square().mean())
/// print(gradients[w]!.floats())
/// ```
public struct Tensor: Sendable {
    /// Length of each axis; empty for a scalar.
    public let shape: [Int]
    /// Type of the elements.
    public let dtype: DType
    /// Where the elements are.
    public internal(set) var storage: Storage
    /// Where this tensor stands on a tape, or nil if no derivative is asked for.
    let tapePosition: TapePosition?

    init(shape: [Int], dtype: DType, storage: Storage, tapePosition: TapePosition? = nil) {
        self.shape = shape
        self.dtype = dtype
        self.storage = storage
        self.tapePosition = tapePosition
    }

    /// Number of elements.
    public var count: Int {
        var product = 1
        for length in shape { product *= length }
        return product
    }

    /// Number of axes.
    public var rank: Int { shape.count }

    /// The backend that computes on this tensor.
    public var backend: any Backend { storage.backend }

    /// Whether operations on this tensor are recorded for differentiation.
    public var isOnTape: Bool { tapePosition != nil }

    /// The same values, cut off from any tape.
    public var detached: Tensor { Tensor(shape: shape, dtype: dtype, storage: storage) }

    /// The length of an axis; negative axes count from the end.
    public func length(ofAxis axis: Int) -> Int { shape[axis < 0 ? shape.count + axis : axis] }

    /// Turns a negative axis into one counted from the front.
    func resolved(axis: Int, in operation: StaticString) -> Int {
        let resolved = axis < 0 ? rank + axis : axis
        require(resolved >= 0 && resolved < rank, operation, expected: "an axis of \(shape)", got: "axis \(axis)")
        return resolved
    }
}

/// Stops the program because an operation was called with tensors that do not fit.
@inline(__always)
func require(
    _ condition: Bool, _ operation: StaticString, expected: @autoclosure () -> String, got: @autoclosure () -> String,
    file: StaticString = #file, line: UInt = #line
) {
    if !condition {
        preconditionFailure("[\(operation)] expected \(expected()), got \(got())", file: file, line: line)
    }
}
