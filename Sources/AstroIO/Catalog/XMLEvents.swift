internal import CExpat

/// What a document tells its reader, element by element.
protocol XMLEventHandler: AnyObject {
    func start(_ element: String, _ attributes: [String: String]) throws(CatalogError)
    func text(_ text: String)
    func end(_ element: String) throws(CatalogError)
}

/// Runs an XML document through expat, piece by piece.
///
/// expat rather than Foundation's XMLParser: that one lives in FoundationXML, which adds libxml2 and a bridge through
/// NSObject and dictionaries to every tag; expat is a small C library that a program drawing with cairo has anyway.
/// Nothing outside the file is ever loaded (no handler for external entities is set), and a document that declares an
/// entity is refused, so that none can expand without end: VOTable has no use for either.
enum XMLEvents {
    /// Elements inside elements; VOTable needs about ten.
    private static let maximumDepth = 200

    private final class Session {
        let handler: any XMLEventHandler
        let path: String
        var failure: CatalogError?
        var depth = 0
        var parser: XML_Parser?

        init(_ handler: any XMLEventHandler, path: String) {
            self.handler = handler
            self.path = path
        }

        func run(_ body: () throws(CatalogError) -> Void) {
            guard failure == nil else { return }
            do {
                try body()
            } catch {
                fail(error)
            }
        }

        func fail(_ error: CatalogError) {
            failure = failure ?? error
            XML_StopParser(parser, 0)
        }
    }

    private static func session(_ data: UnsafeMutableRawPointer?) -> Session {
        // The session outlives the parser: `parse` holds it.
        Unmanaged<Session>.fromOpaque(data!).takeUnretainedValue()
    }

    private static func string(_ text: UnsafePointer<XML_Char>?) -> String { text.map { String(cString: $0) } ?? "" }

    /// The name without its namespace prefix (`vot:FIELD` is FIELD).
    private static func local(_ name: UnsafePointer<XML_Char>?) -> String {
        let name = string(name)
        return name.lastIndex(of: ":").map { String(name[name.index(after: $0)...]) } ?? name
    }

    /// - Throws: `CatalogError` for a document that is not well-formed XML, and whatever the handler throws.
    static func parse(_ bytes: [UInt8], path: String, handler: any XMLEventHandler) throws(CatalogError) {
        guard let parser = XML_ParserCreate(nil) else {
            throw CatalogError(.file, path: path, "no memory for the XML parser")
        }
        defer { XML_ParserFree(parser) }
        let session = Session(handler, path: path)
        session.parser = parser
        XML_SetUserData(parser, Unmanaged.passUnretained(session).toOpaque())
        XML_SetElementHandler(
            parser,
            { data, name, attributes in
                let session = XMLEvents.session(data)
                session.run { () throws(CatalogError) in
                    session.depth += 1
                    guard session.depth <= XMLEvents.maximumDepth else {
                        throw CatalogError(.format, path: session.path, "XML elements are nested too deeply")
                    }
                    var values: [String: String] = [:]
                    var index = 0
                    while let attributes, let key = attributes[index] {
                        values[XMLEvents.local(key)] = XMLEvents.string(attributes[index + 1])
                        index += 2
                    }
                    try session.handler.start(XMLEvents.local(name), values)
                }
            },
            { data, name in
                let session = XMLEvents.session(data)
                session.run { () throws(CatalogError) in
                    session.depth -= 1
                    try session.handler.end(XMLEvents.local(name))
                }
            })
        XML_SetCharacterDataHandler(parser) { data, text, length in
            let session = XMLEvents.session(data)
            guard session.failure == nil, let text else { return }
            let bytes = UnsafeRawBufferPointer(start: text, count: Int(length))
            session.handler.text(String(decoding: bytes, as: UTF8.self))
        }
        XML_SetEntityDeclHandler(parser) { data, name, _, _, _, _, _, _, _ in
            let session = XMLEvents.session(data)
            session.fail(
                CatalogError(
                    .unsupported, path: session.path, "the XML declares the entity '\(XMLEvents.string(name))'"))
        }

        var start = 0
        let step = 1 << 20
        repeat {
            let end = min(start + step, bytes.count)
            let status = bytes.withUnsafeBytes { buffer in
                let base = buffer.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
                return XML_Parse(parser, base, Int32(end - start), end == bytes.count ? 1 : 0)
            }
            if let failure = session.failure { throw failure }
            guard status != XML_STATUS_ERROR else {
                let reason = XMLEvents.string(XML_ErrorString(XML_GetErrorCode(parser)))
                throw CatalogError(
                    .format, path: path, "XML line \(XML_GetCurrentLineNumber(parser)): \(reason)")
            }
            start = end
        } while start < bytes.count
    }
}
