import AstroIO
import Datasets
import Foundation
import ImageProcessing
import TestSupport
import Testing

@Suite("Files of objects")
struct FileDiscoveryTests {
    private func make(_ names: [String], in folder: String) throws {
        for name in names {
            let path = URL(fileURLWithPath: folder + "/" + name)
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("x".utf8).write(to: path)
        }
    }

    @Test("bands of one object are joined, companions are attached, other files do not count")
    func grouping() throws {
        try withTemporaryFolder { folder in
            try make(
                [
                    "m51-g.fits", "m51-r.fits", "m51-i.fits", "m51-z.fits.gz", "ngc1.fits", "ngc1_mask.fits", "ngc1.weight.fits",
                    "a.JPG",
                    "notes.txt", ".hidden.fits", "labels.csv", "deep/b.png",
                ], in: folder)
            let objects = try FileDiscovery().objects(in: [folder])
            #expect(objects.map(\.id).sorted() == ["a", "b", "m51", "ngc1"])
            let m51 = try #require(objects.first { $0.id == "m51" })
            #expect(m51.planes.map(\.band) == ["g", "r", "i", "z"])
            let ngc = try #require(objects.first { $0.id == "ngc1" })
            #expect(ngc.planes.count == 1 && ngc.planes[0].mask?.hasSuffix("ngc1_mask.fits") == true)
            #expect(ngc.planes[0].weight?.hasSuffix("ngc1.weight.fits") == true)
            #expect(try FileDiscovery(recursive: false).objects(in: [folder]).count == 3)
            #expect(try FileDiscovery(groupsBands: false).objects(in: [folder]).count == 7)
        }
    }

    @Test("equal names in different folders get different ids")
    func duplicates() throws {
        try withTemporaryFolder { folder in
            try make(["a/x.png", "b/x.png", "x.png"], in: folder)
            let objects = try FileDiscovery().objects(in: [folder])
            #expect(Set(objects.map(\.id)) == ["x", "a/x", "b/x"])
        }
    }

    @Test("a loop of links ends; a folder without images and a missing one are errors")
    func oddFolders() throws {
        try withTemporaryFolder { folder in
            try make(["in/x.png"], in: folder)
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/in/again", withDestinationPath: folder + "/in")
            #expect(try FileDiscovery().objects(in: [folder + "/in"]).count == 1)
            try make(["none/readme.txt"], in: folder)
            #expect(throws: DiscoveryError.self) { try FileDiscovery().objects(in: [folder + "/none"]) }
            #expect(throws: DiscoveryError.self) { try FileDiscovery().objects(in: [folder + "/missing"]) }
        }
    }
}

@Suite("Stamps")
struct StampReaderTests {
    private let normalization = StampNormalization(size: 32, mean: [0.1, 0.2, 0.3], deviation: [0.5, 0.4, 0.3])

    private func object(_ path: String) -> ObjectFiles { FileDiscovery.object(joining: [path]) }

    @Test("a stamp is the picture divided by 255, minus the mean, over the deviation")
    func values() throws {
        try withTemporaryFolder { folder in
            let simulated = GalaxySimulator(seed: 1, size: 48).object(0).image
            try FITSImageWriter.write(simulated, to: folder + "/a.fits")
            let reader = StampReader(normalization: normalization)
            let stamp = try reader.stamp(of: object(folder + "/a.fits"))
            let picture = try reader.picture(of: object(folder + "/a.fits"))
            #expect(stamp.values.count == 3 * 32 * 32 && picture.width == 32)
            for index in stride(from: 0, to: 1024, by: 37) {
                for channel in 0..<3 {
                    let expected =
                        (Float(picture.samples[3 * index + channel]) / 255 - normalization.mean[channel])
                        / normalization.deviation[channel]
                    #expect(abs(stamp.values[channel * 1024 + index] - expected) < 1e-5)
                }
            }
            #expect(stamp.bands == ["g", "r", "z"] && stamp.imageWidth == 48 && stamp.flags.contains(.resampledDown))
            let position = try #require(stamp.position)
            #expect((149...151).contains(position.ra))
        }
    }

    @Test("defects are flagged: masked, constant, not square, too small; wholly masked ones are an error")
    func flags() throws {
        try withTemporaryFolder { folder in
            func stamp(_ image: Image, crop: StampNormalization.Crop = .fraction(1)) throws -> Stamp {
                try FITSImageWriter.write(image, to: folder + "/x.fits")
                var normalization = normalization
                normalization.crop = crop
                return try StampReader(normalization: normalization).stamp(of: object(folder + "/x.fits"))
            }
            var pixels = (0..<600).map { Float($0 % 17) }
            pixels[0] = .nan
            let damaged = try stamp(Image(bands: ["r"], width: 30, height: 20, pixels: pixels), crop: .pixels(40))
            for flag in [
                QualityFlags.nonFiniteData, .filledPixels, .notSquare, .replicatedBand, .paddedStamp, .noWCS,
                .resampledDown,
            ] {
                #expect(damaged.flags.contains(flag), "\(flag)")
            }
            #expect(damaged.maskFraction > 0 && damaged.values.allSatisfy(\.isFinite))
            let flat = try stamp(Image(bands: ["r"], width: 16, height: 16, pixels: [Float](repeating: 4, count: 256)))
            #expect(flat.flags.contains(.blankImage) && flat.flags.contains(.resampledUp))
            let nothing = Image(bands: ["r"], width: 8, height: 8, pixels: [Float](repeating: .nan, count: 64))
            #expect { try stamp(nothing) } throws: { ($0 as? StampError)?.reason.contains("masked") == true }
        }
    }

    @Test("crops are read as a fraction, pixels or arcseconds")
    func crops() {
        #expect(StampNormalization.Crop("0.7") == .fraction(0.7) && StampNormalization.Crop("128px") == .pixels(128))
        #expect(StampNormalization.Crop("20arcsec") == .arcsec(20))
        for wrong in ["", "1.5", "-3px", "0", "px", "abc", "nanarcsec"] {
            #expect(StampNormalization.Crop(wrong) == nil, "\(wrong)")
        }
        #expect(StampNormalization.Crop.arcsec(20).side(width: 100, height: 90, pixelScale: 0.5) == 40)
        #expect(StampNormalization.Crop.arcsec(20).side(width: 100, height: 90, pixelScale: nil) == 90)
        #expect(StampNormalization.Crop.arcsec(1e300).side(width: 10, height: 9, pixelScale: 1e-9) == 36)
    }
}
