import AstroIO
import Foundation
import TestSupport
import Testing

/// Sky positions by astropy.wcs (scripts/fixtures/display.py).
@Suite("World coordinates")
struct WCSTests {
    struct Reference: Decodable, CustomTestStringConvertible {
        enum Value: Decodable {
            case number(Double)
            case text(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Double.self) {
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
        }

        var name: String
        var cards: [String: Value]
        var points: [[Double]]

        var testDescription: String { name }

        var header: FITSHeader {
            FITSHeader(
                cards: cards.sorted { $0.key < $1.key }.map { key, value in
                    switch value {
                    case .text(let text): .init(key, value: text, isText: true)
                    // An order is an integer.
                    case .number(let number):
                        .init(key, value: key.hasSuffix("ORDER") ? String(Int(number)) : String(describing: number))
                    }
                })
        }
    }

    private struct File: Decodable { var wcs: [Reference] }
    static let references = (try? fixture("display/astropy.json", as: File.self).wcs) ?? []

    @Test("there are references")
    func present() { #expect(Self.references.count == 8) }

    @Test("positions agree with astropy.wcs to 0.001 pixel, there and back", arguments: references)
    func positions(_ reference: Reference) throws {
        let wcs = try WCS(header: reference.header, path: reference.name)
        for point in reference.points {
            let sky = try #require(wcs.pixelToSky(x: point[0], y: point[1]))
            let scale = wcs.pixelScaleArcsec / 3600
            let along = (sky.ra - point[2]) * cos(point[3] * .pi / 180)
            #expect(abs(along) < 1e-3 * scale && abs(sky.dec - point[3]) < 1e-3 * scale, "\(point): \(sky)")
            let pixel = try #require(wcs.skyToPixel(ra: point[2], dec: point[3]))
            #expect(abs(pixel.x - point[0]) < 1e-3 && abs(pixel.y - point[1]) < 1e-3, "\(point): \(pixel)")
        }
    }

    @Test("crops, resizes and flips keep positions, also through a header", arguments: references)
    func transformations(_ reference: Reference) throws {
        let wcs = try WCS(header: reference.header, path: reference.name)
        let sky = try #require(wcs.pixelToSky(x: 60, y: 40))
        let cases: [(WCS, Double, Double)] = [
            (wcs.cropped(x: 12, y: 7), 48, 33), (wcs.resized(factorX: 0.5, factorY: 2), 29.75, 80.5),
            (wcs.flippedVertically(height: 150), 60, 109), (wcs.flippedHorizontally(width: 200), 139, 40),
            (wcs.cropped(x: 12, y: 7).resized(factorX: 2, factorY: 2).flippedVertically(height: 100), 96.5, 32.5),
        ]
        for (index, (moved, x, y)) in cases.enumerated() {
            let position = try #require(moved.pixelToSky(x: x, y: y))
            #expect(abs(position.ra - sky.ra) < 1e-9 && abs(position.dec - sky.dec) < 1e-9, "case \(index)")
            let written = try WCS(header: FITSHeader(cards: moved.headerCards()), path: reference.name)
            let again = try #require(written.pixelToSky(x: x, y: y))
            #expect(
                abs(again.ra - sky.ra) < 1e-7 && abs(again.dec - sky.dec) < 1e-7,
                "case \(index) in a header: \(again), not \(sky)")
        }
    }

    @Test("headers without a celestial system are an error, and never a wrong position")
    func missing() {
        #expect(throws: ImageError.self) { try WCS(header: FITSHeader(), path: "empty") }
        let spectrum = FITSHeader(cards: [
            .init("CTYPE1", value: "WAVE", isText: true), .init("CRVAL1", value: "5000.0"),
        ])
        #expect(throws: ImageError.self) { try WCS(header: spectrum, path: "spectrum") }
        let singular = FITSHeader(cards: [
            .init("CTYPE1", value: "RA---TAN", isText: true), .init("CTYPE2", value: "DEC--TAN", isText: true),
            .init("CD1_1", value: "0.0"), .init("CD1_2", value: "0.0"), .init("CD2_1", value: "0.0"),
            .init("CD2_2", value: "0.0"),
        ])
        #expect(throws: ImageError.self) { try WCS(header: singular, path: "singular") }
    }

    @Test("pixel scale and rotation of a turned image")
    func rotation() throws {
        let angle = 30.0 * .pi / 180
        let scale = 0.2 / 3600
        let header = FITSHeader(cards: [
            .init("CTYPE1", value: "RA---TAN", isText: true), .init("CTYPE2", value: "DEC--TAN", isText: true),
            .init("CRVAL1", value: "10.0"), .init("CRVAL2", value: "20.0"), .init("CRPIX1", value: "1.0"),
            .init("CRPIX2", value: "1.0"),
            .init("CD1_1", value: "\(-scale * cos(angle))"), .init("CD1_2", value: "\(scale * sin(angle))"),
            .init("CD2_1", value: "\(scale * sin(angle))"), .init("CD2_2", value: "\(scale * cos(angle))"),
        ])
        let wcs = try WCS(header: header, path: "turned")
        #expect(abs(wcs.pixelScaleArcsec - 0.2) < 1e-9 && wcs.isSkyParity)
        // Where north is, a step in declination goes; the rotation is that direction's angle from +y towards −x.
        let here = try #require(wcs.skyToPixel(ra: 10, dec: 20))
        let north = try #require(wcs.skyToPixel(ra: 10, dec: 20 + scale))
        let direction = atan2(-(north.x - here.x), north.y - here.y) * 180 / .pi
        #expect(abs(direction - wcs.rotationDegrees) < 1e-3)
    }
}
