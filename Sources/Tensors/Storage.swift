/// The memory of one or more tensors, in whatever memory its backend computes in.
///
/// Only the backend that made a storage can look inside it: nothing outside a backend may assume that the bytes are
/// addressable by the host. A storage is freed (or recycled by its backend) when the last tensor that refers to it
/// goes away.
///
/// Sendable: the values of a storage are written once by the operation that makes it and are read-only from then on.
/// The in-place updates (``Tensor/addInPlace(_:scale:)``, ``Tensor/fill(_:)``, ``Tensor/copyValues(from:)``, optimiser
/// steps) are the exception: their caller must be the only user of the storage at that time.
open class Storage: @unchecked Sendable {
    /// The backend that allocated this storage and computes on it.
    public let backend: any Backend
    /// Usable size in bytes.
    public let byteCount: Int

    /// Called by backends only.
    public init(backend: any Backend, byteCount: Int) {
        self.backend = backend
        self.byteCount = byteCount
    }
}
