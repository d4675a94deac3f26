internal import CDNNL
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The one door to oneDNN: engine, streams, primitives cached by what they compute.
///
/// oneDNN's primitives and engine may be used by several threads at once if each call brings its own stream-less
/// scratchpad; memory objects may not, so they are made for each call (about 100 ns).
final class OneDNN: @unchecked Sendable {
    private let engine: dnnl_engine_t
    private let stream: dnnl_stream_t
    private let threads: Int
    private let allocator: CPUAllocator
    /// Primitives by thread, so that data-parallel workers do not wait for each other; equal ones share their code in oneDNN.
    private let caches = (0..<ThreadShard.count).map { _ in Cache() }

    private final class Cache: Sendable {
        let primitives = Mutex<[Key: Primitive?]>([:])
    }

    init(threads: Int, allocator: CPUAllocator) {
        var engine: dnnl_engine_t?
        var stream: dnnl_stream_t?
        OneDNN.check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine")
        OneDNN.check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue), "stream")
        self.engine = engine!
        self.stream = stream!
        self.threads = threads
        self.allocator = allocator
    }

    deinit {
        for cache in caches { cache.primitives.withLock { $0.removeAll() } }
        dnnl_stream_destroy(stream)
        dnnl_engine_destroy(engine)
    }

    // MARK: - Threads

    private typealias SetThreads = @convention(c) (Int32) -> Void

    /// `omp_set_num_threads` of the OpenMP run time that oneDNN brought along, if it uses one. The number is a property
    /// of the calling thread, so data-parallel workers set 1 and a worker's products stay on its own core.
    private static let setOpenMPThreads: SetThreads? = {
        guard let symbol = dlsym(nil, "omp_set_num_threads") else { return nil }
        return unsafeBitCast(symbol, to: SetThreads.self)
    }()

    @inline(__always)
    private func claim(_ threads: Int?) { OneDNN.setOpenMPThreads?(Int32(threads ?? self.threads)) }

    /// Whether this processor multiplies 8-bit integers without overflow. Older ones add two products in 16 bits, where
    /// 127 · 127 twice has no place.
    static let hasInt8Products: Bool = {
        let vnni = dnnl_cpu_isa_avx512_core_vnni.rawValue
        return dnnl_get_effective_cpu_isa().rawValue & vnni == vnni
    }()

    /// Whether this processor has products of bfloat16 numbers (AVX-512 BF16, AMX). oneDNN imitates them on AVX-512 without.
    static let hasBFloat16Products: Bool = {
        let bfloat16 = dnnl_cpu_isa_avx512_core_bf16.rawValue
        return dnnl_get_effective_cpu_isa().rawValue & bfloat16 == bfloat16
    }()

    // MARK: - Layouts

    /// A memory descriptor: lengths, type and the order of elements in memory.
    struct Layout: @unchecked Sendable, Equatable {
        var descriptor: dnnl_memory_desc_t

        /// Row-major, or with the given strides.
        init(_ shape: [Int], _ type: DType, strides: [Int]? = nil) {
            self.init(shape, type.oneDNN, strides: strides)
        }

        init(_ shape: [Int], _ type: dnnl_data_type_t, strides: [Int]? = nil) {
            descriptor = dnnl_memory_desc_t()
            var dimensions = shape.map { Int64($0) }
            var steps = (strides ?? Layout.rowMajorStrides(shape)).map { Int64($0) }
            if dimensions.isEmpty { (dimensions, steps) = ([1], [1]) }
            OneDNN.check(
                dnnl_memory_desc_init_by_strides(
                    &descriptor, Int32(dimensions.count), dimensions, type, steps), "layout \(shape)")
        }

        /// A layout that oneDNN chooses.
        init(any shape: [Int], _ type: DType) { self.init(any: shape, type.oneDNN) }

        init(any shape: [Int], _ type: dnnl_data_type_t) {
            descriptor = dnnl_memory_desc_t()
            OneDNN.check(
                dnnl_memory_desc_init_by_tag(
                    &descriptor, Int32(shape.count), shape.map { Int64($0) }, type, dnnl_format_tag_any),
                "layout \(shape)")
        }

        init(_ descriptor: dnnl_memory_desc_t) { self.descriptor = descriptor }

        static func rowMajorStrides(_ shape: [Int]) -> [Int] {
            var strides = [Int](repeating: 1, count: shape.count)
            for i in stride(from: shape.count - 2, through: 0, by: -1) {
                strides[i] = strides[i + 1] * max(1, shape[i + 1])
            }
            return strides
        }

        static func == (a: Layout, b: Layout) -> Bool {
            withUnsafePointer(to: a.descriptor) { p in
                withUnsafePointer(to: b.descriptor) { q in dnnl_memory_desc_equal(p, q) != 0 }
            }
        }

        var byteCount: Int { withUnsafePointer(to: descriptor) { dnnl_memory_desc_get_size($0) } }
    }

    // MARK: - Primitives

    /// What a primitive computes: its kind and all numbers that its creation depends on.
    struct Key: Hashable {
        var kind: Kind
        var numbers: [Int]
        var threads: Int
    }

    /// Kinds of primitives.
    enum Kind: Int {
        case matmul, innerProductWeights, convolution, convolutionData, convolutionWeights, reorder
    }

    /// A compiled primitive.
    final class Primitive: @unchecked Sendable {
        let handle: dnnl_primitive_t
        let scratchpad: Layout?
        /// The layouts that it chose for weights, source and result, in the order of ``Role``.
        private let descriptor: const_dnnl_primitive_desc_t

        init?(descriptor: dnnl_primitive_desc_t) {
            defer { dnnl_primitive_desc_destroy(descriptor) }
            var handle: dnnl_primitive_t?
            guard dnnl_primitive_create(&handle, descriptor) == dnnl_success, let handle else { return nil }
            self.handle = handle
            var own: const_dnnl_primitive_desc_t?
            OneDNN.check(dnnl_primitive_get_primitive_desc(handle, &own), "primitive descriptor")
            self.descriptor = own!
            let scratchpad = dnnl_primitive_desc_query_md(own, dnnl_query_scratchpad_md, 0)
            self.scratchpad = scratchpad.flatMap { dnnl_memory_desc_get_size($0) > 0 ? Layout($0.pointee) : nil }
        }

        deinit { dnnl_primitive_destroy(handle) }

        func layout(_ query: dnnl_query_t, _ index: Int = 0) -> Layout {
            guard let found = dnnl_primitive_desc_query_md(descriptor, query, Int32(index)) else {
                preconditionFailure("[oneDNN] expected a layout, got none")
            }
            return Layout(found.pointee)
        }

        /// The name of the implementation, for diagnosis.
        var implementation: String {
            var name: UnsafePointer<CChar>?
            dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name)
            return name.map { String(cString: $0) } ?? "?"
        }
    }

    /// The primitive for a key, made at the first use; nil where this CPU cannot do it (bfloat16 without AVX-512).
    ///
    /// - Parameter threads: that it runs on; those of the backend by default. Pass the same number to
    ///   ``execute(_:_:threads:)``.
    func primitive(
        _ kind: Kind, _ numbers: [Int], threads: Int? = nil, make: (_ engine: dnnl_engine_t) -> dnnl_primitive_desc_t?
    ) -> Primitive? {
        claim(threads)
        let key = Key(kind: kind, numbers: numbers, threads: threads ?? self.threads)
        let cache = caches[ThreadShard.current]
        if let known = cache.primitives.withLock({ $0[key] }) { return known }
        let made = make(engine).flatMap { Primitive(descriptor: $0) }
        cache.primitives.withLock { $0[key] = .some(made) }
        return made
    }

    /// Makes a primitive descriptor from an operation descriptor and attributes, which it consumes.
    static func descriptor<Operation>(
        _ operation: inout Operation, _ attributes: dnnl_primitive_attr_t?, _ engine: dnnl_engine_t
    ) -> dnnl_primitive_desc_t? {
        defer { if let attributes { dnnl_primitive_attr_destroy(attributes) } }
        var descriptor: dnnl_primitive_desc_t?
        let status = withUnsafePointer(to: &operation) {
            dnnl_primitive_desc_create(&descriptor, UnsafeRawPointer($0), attributes, engine, nil)
        }
        return status == dnnl_success ? descriptor : nil
    }

    /// A step fused after a product.
    enum PostOperation {
        case add(Layout)
        case relu
    }

    /// Attributes with a scratchpad of ours and fused steps.
    static func attributes(_ steps: [PostOperation] = []) -> dnnl_primitive_attr_t? {
        var attributes: dnnl_primitive_attr_t?
        check(dnnl_primitive_attr_create(&attributes), "attributes")
        check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "scratchpad mode")
        guard !steps.isEmpty else { return attributes }
        var operations: dnnl_post_ops_t?
        check(dnnl_post_ops_create(&operations), "post-operations")
        for step in steps {
            switch step {
            case .add(var layout):
                check(dnnl_post_ops_append_binary(operations, dnnl_binary_add, &layout.descriptor), "add")
            case .relu:
                check(dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0), "relu")
            }
        }
        check(dnnl_primitive_attr_set_post_ops(attributes, operations), "post-operations")
        dnnl_post_ops_destroy(operations)
        return attributes
    }

    // MARK: - Execution

    /// An argument of a primitive: which, how laid out, where.
    struct Argument {
        var role: Int32
        var layout: Layout
        var pointer: UnsafeMutableRawPointer
    }

    /// Runs a primitive and waits for it.
    func execute(_ primitive: Primitive, _ arguments: [Argument], threads: Int? = nil) {
        claim(threads)
        var all: [dnnl_exec_arg_t] = []
        all.reserveCapacity(arguments.count + 1)
        func append(_ role: Int32, _ layout: Layout, _ pointer: UnsafeMutableRawPointer) {
            var memory: dnnl_memory_t?
            withUnsafePointer(to: layout.descriptor) {
                OneDNN.check(dnnl_memory_create(&memory, $0, engine, pointer), "memory")
            }
            all.append(dnnl_exec_arg_t(arg: role, memory: memory))
        }
        for argument in arguments { append(argument.role, argument.layout, argument.pointer) }
        let scratch = primitive.scratchpad.map { allocator.take(byteCount: $0.byteCount) }
        if let layout = primitive.scratchpad, let scratch { append(DNNL_ARG_SCRATCHPAD, layout, scratch.pointer) }
        OneDNN.check(dnnl_primitive_execute(primitive.handle, stream, Int32(all.count), all), "execute")
        for argument in all { dnnl_memory_destroy(argument.memory) }
        if let scratch { allocator.giveBack(scratch) }
    }

    /// Copies between layouts, converting types.
    func reorder(
        _ source: UnsafeMutableRawPointer, _ from: Layout, into result: UnsafeMutableRawPointer, _ to: Layout
    ) {
        let numbers = OneDNN.words(from) + OneDNN.words(to)
        let reorder = primitive(.reorder, numbers) { engine in
            var (a, b) = (from.descriptor, to.descriptor)
            var descriptor: dnnl_primitive_desc_t?
            let attributes = OneDNN.attributes()
            defer { dnnl_primitive_attr_destroy(attributes) }
            return dnnl_reorder_primitive_desc_create(&descriptor, &a, engine, &b, engine, attributes) == dnnl_success
                ? descriptor : nil
        }
        guard let reorder else { preconditionFailure("[oneDNN] expected a reorder between the layouts, got none") }
        execute(
            reorder,
            [
                Argument(role: DNNL_ARG_SRC_0, layout: from, pointer: source),
                Argument(role: DNNL_ARG_DST_0, layout: to, pointer: result),
            ])
    }

    /// The part of a descriptor that tells layouts apart, as key of the cache.
    private static func words(_ layout: Layout) -> [Int] {
        withUnsafeBytes(of: layout.descriptor) { bytes in
            let words = bytes.count / 8
            return (0..<words).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int.self) }
        }
    }

    /// All failures of oneDNN that are not "cannot do this on this CPU" are mistakes of this program.
    static func check(_ status: dnnl_status_t, _ what: @autoclosure () -> String) {
        precondition(status == dnnl_success, "[oneDNN] expected success, got status \(status.rawValue) in \(what())")
    }
}

extension DType {
    /// oneDNN's name of the type.
    var oneDNN: dnnl_data_type_t {
        switch self {
        case .float32: dnnl_f32
        case .bfloat16: dnnl_bf16
        case .int32: dnnl_s32
        }
    }
}
