import AstroIO
import Foundation
import Testing

@Suite("Names of id, position and file columns")
struct CatalogConventionTests {
    private func catalog(_ names: [String]) throws -> Catalog {
        try Catalog(columns: names.map { Column($0, .double([1])) })
    }

    @Test(
        "each survey's names are found",
        arguments: [
            ["id_str", "ra", "dec"], ["SourceID", "RA", "Dec"], ["source_id", "ra", "dec"], ["dr8_id", "ra", "dec"],
            ["object_id", "right_ascension", "declination"], ["NUMBER", "ALPHA_J2000", "DELTA_J2000"],
            ["objectId", "coord_ra", "coord_dec"], ["id", "RAJ2000", "DEJ2000"], ["label", "ra", "dec"],
        ])
    func surveys(names: [String]) throws {
        let catalog = try catalog(names)
        #expect(catalog.idColumn?.name == names[0])
        #expect(catalog.raColumn?.name == names[1])
        #expect(catalog.decColumn?.name == names[2])
    }

    @Test("of several candidates the first in the list wins, whatever the order of the columns")
    func priority() throws {
        #expect(try catalog(["NUMBER", "id", "object_id", "id_str"]).idColumn?.name == "id_str")
        #expect(try catalog(["id", "SOURCE_ID"]).idColumn?.name == "SOURCE_ID")
        #expect(try catalog(["ALPHA_J2000", "DELTA_J2000", "ra", "dec"]).raColumn?.name == "ra")
        #expect(try catalog(["x", "y"]).idColumn == nil)
    }

    @Test("right ascension and declination come from one naming scheme")
    func pairs() throws {
        let mixed = try catalog(["ra", "ALPHA_J2000", "DELTA_J2000"])
        #expect(mixed.raColumn?.name == "ALPHA_J2000")
        #expect(mixed.decColumn?.name == "DELTA_J2000")
    }

    @Test("positions are degrees in [0, 360), whatever the unit")
    func units() throws {
        func positions(_ ra: Column, _ dec: Column) throws -> (ra: [Double], dec: [Double]) {
            try #require(try Catalog(columns: [ra, dec]).positions)
        }
        let half = Double.pi / 2
        let rubin = try positions(
            Column("coord_ra", .double([half, -half])), Column("coord_dec", .double([-half, 0])))
        #expect(rubin.ra == [90, 270])
        #expect(rubin.dec == [-90, 0])
        let degrees = try positions(
            Column("coord_ra", .double([370]), unit: "deg"), Column("coord_dec", .double([5]), unit: "deg"))
        #expect(degrees.ra == [10])
        let hours = try positions(
            Column("ra", .float([12]), unit: "hourangle"), Column("dec", .float([-30]), unit: "deg"))
        #expect(hours.ra == [180])
        let edge = try positions(Column("ra", .double([-1e-20, 360, .nan])), Column("dec", .double([91, 90, 0])))
        #expect(edge.ra[0] == 0 && edge.ra[1] == 0 && edge.ra[2].isNaN)
        #expect(edge.dec[0].isNaN && edge.dec[1] == 90)
        #expect(
            try Catalog(columns: [Column("ra", .double([1]), unit: "pix"), Column("dec", .double([1]))]).positions
                == nil)
        #expect(try Catalog(columns: [Column("ra", .string(["1"])), Column("dec", .double([1]))]).positions == nil)
    }

    @Test("identifiers are text even where they are numbers, exactly")
    func identifiers() throws {
        let catalog = try Catalog(columns: [Column("source_id", .int64([1_237_648_720_693_755_918, nil]))])
        #expect(catalog.identifiers == ["1237648720693755918", nil])
    }

    @Test("a file cell is one path or a JSON list")
    func files() throws {
        let cells: [String?] = ["a.fits", "[\"g.fits\", \"r.fits\"]", "['g.fits', 'r.fits']", nil, "[odd].fits"]
        let catalog = try Catalog(columns: [Column("fits_file_paths", .string(cells))])
        #expect(
            catalog.filePaths == [["a.fits"], ["g.fits", "r.fits"], ["g.fits", "r.fits"], [], ["[odd].fits"]])
    }

    @Test("CSV as Cutana writes it")
    func cutana() throws {
        try CatalogSamples.withPath("input.csv") { path in
            let text = """
                SourceID,RA,Dec,diameter_pixel,fits_file_paths\r
                MERGED_001,45.5,-30,128,"[""/data/tile_g.fits"", ""/data/tile_r.fits""]"\r
                0042,45.6,-31,,/data/x.fits\r

                """
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let catalog = try Catalog.read(path)
            #expect(catalog.identifiers == ["MERGED_001", "0042"])
            #expect(catalog.positions?.dec == [-30, -31])
            #expect(catalog["diameter_pixel"]?.values == .int64([128, nil]))
            #expect(catalog.filePaths?[0] == ["/data/tile_g.fits", "/data/tile_r.fits"])
        }
    }
}
