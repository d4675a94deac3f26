import Foundation
import Testing

@Suite struct ReviewTests {
    @Test func whatCannotBeReviewedIsExplained() throws {
        try Tool.withTemporaryFolder { folder in
            let absent = try Tool.run("review", folder + "/absent")
            #expect(absent.status == 1 && absent.errors.contains("/absent: does not exist"), "\(absent.errors)")
            let empty = try Tool.run("review", folder)
            #expect(empty.status == 1 && empty.errors.contains("holds no finished run"), "\(empty.errors)")
            let graphics = try Tool.run("review", folder, "--graphics", "vga")
            #expect(graphics.status == 64 && graphics.errors.contains("'vga' is invalid"))
        }
    }
}
