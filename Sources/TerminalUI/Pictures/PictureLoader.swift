import AstroIO
import Dispatch
import Foundation
import ImageProcessing
import Synchronization

/// Where the images of objects come from.
public protocol PictureSource: Sendable {
    /// The views that there are for every object; `.image` at least.
    var views: [ReviewView] { get }
    /// Reads an object's image; called on a thread of its own.
    func image(of files: [String], view: ReviewView) throws -> Image
    /// The objects most like this one, the nearest first; empty where that is not known.
    func neighbours(of id: String, count: Int) throws -> [ReviewNeighbour]
}

/// A picture that a screen wants.
public struct PictureRequest: Sendable, Hashable {
    public var files: [String]
    public var settings: PictureSettings
    public var columns: Int
    public var rows: Int
    public var painter: PicturePainter

    public init(files: [String], settings: PictureSettings, columns: Int, rows: Int, painter: PicturePainter) {
        self.files = files
        self.settings = settings
        self.columns = columns
        self.rows = rows
        self.painter = painter
    }
}

/// A picture, or why there is none.
public enum LoadedPicture: Sendable, Equatable {
    case painted(PicturePainter.Painted, bands: [String], width: Int, height: Int)
    case failed(String)
}

/// Reads images and paints pictures ahead of need on a thread of its own, with bounded memory: so many decoded images and painted
/// pictures are kept as one screen and its read-ahead need, the ones unused for longest go first.
public final class PictureLoader: Sendable {
    private struct State {
        /// What is wanted, the most urgent first.
        var wanted: [PictureRequest] = []
        var neighboursWanted: String?
        var pictures = RecentlyUsed<PictureRequest, LoadedPicture>(capacity: 40)
        var neighbours = RecentlyUsed<String, [ReviewNeighbour]>(capacity: 16)
        var isStopped = false
    }

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    private let source: any PictureSource
    private let neighbourCount: Int
    private let onReady: @Sendable () -> Void

    /// - Parameter onReady: called on the loader's thread when something that was wanted is there.
    public init(source: any PictureSource, neighbours: Int = 5, onReady: @escaping @Sendable () -> Void) {
        self.source = source
        neighbourCount = neighbours
        self.onReady = onReady
        let thread = Thread { [weak self, work] in
            var images = RecentlyUsed<ImageKey, Image>(capacity: 16)
            while true {
                work.wait()
                guard let loader = self, loader.step(&images) else { return }
            }
        }
        thread.stackSize = 8 << 20
        thread.name = "pictures"
        thread.start()
    }

    deinit { stop() }

    public func stop() {
        state.withLock { $0.isStopped = true }
        work.signal()
    }

    /// The picture if it is ready.
    public func picture(_ request: PictureRequest) -> LoadedPicture? {
        state.withLock { $0.pictures[request] }
    }

    /// The neighbours of an object if they are known.
    public func neighbours(of id: String) -> [ReviewNeighbour]? {
        state.withLock { $0.neighbours[id] }
    }

    /// Says what is wanted from now on, the most urgent first; what was asked for before and is not named is no longer.
    public func want(_ requests: [PictureRequest], neighboursOf id: String? = nil) {
        state.withLock {
            $0.wanted = requests
            $0.neighboursWanted = id
        }
        work.signal()
    }

    private struct ImageKey: Hashable {
        var files: [String]
        var view: ReviewView
    }

    private enum Job {
        case picture(PictureRequest)
        case neighbours(String)
        case stop
    }

    /// Does what is wanted until nothing is. Returns false when it is to end.
    private func step(_ images: inout RecentlyUsed<ImageKey, Image>) -> Bool {
        while let job = next() {
            switch job {
            case .stop: return false
            case .picture(let request):
                let picture = load(request, &images)
                state.withLock { $0.pictures[request] = picture }
            case .neighbours(let id):
                let found = (try? source.neighbours(of: id, count: neighbourCount)) ?? []
                state.withLock { $0.neighbours[id] = found }
            }
            onReady()
        }
        return true
    }

    private func next() -> Job? {
        state.withLock { state in
            if state.isStopped { return .stop }
            let missing = state.wanted.firstIndex { !state.pictures.contains($0) }
            // The object itself comes first.
            if missing != 0, let id = state.neighboursWanted, !state.neighbours.contains(id) { return .neighbours(id) }
            return missing.map { .picture(state.wanted[$0]) }
        }
    }

    private func load(_ request: PictureRequest, _ images: inout RecentlyUsed<ImageKey, Image>) -> LoadedPicture {
        let key = ImageKey(files: request.files, view: request.settings.view)
        do {
            let image: Image
            if let known = images[key] {
                image = known
            } else {
                image = try source.image(of: request.files, view: request.settings.view)
                // A large field would fill the memory sixteen times over.
                if image.pixels.count <= 1 << 23 { images[key] = image }
            }
            let picture = try request.settings.draw(image)
            guard let painted = request.painter.paint(picture, columns: request.columns, rows: request.rows) else {
                return .failed("no picture: --graphics none")
            }
            return .painted(painted, bands: image.bands, width: image.width, height: image.height)
        } catch {
            return .failed("\(error)")
        }
    }
}

/// A dictionary that forgets what was not used for longest.
struct RecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    let capacity: Int
    private var values: [Key: (value: Value, time: Int)] = [:]
    private var clock = 0

    init(capacity: Int) { self.capacity = capacity }

    func contains(_ key: Key) -> Bool { values[key] != nil }

    subscript(key: Key) -> Value? {
        mutating get {
            clock += 1
            values[key]?.time = clock
            return values[key]?.value
        }
        set {
            clock += 1
            values[key] = newValue.map { ($0, clock) }
            if values.count > capacity, let oldest = values.min(by: { $0.value.time < $1.value.time }) {
                values[oldest.key] = nil
            }
        }
    }
}
