import ActiveLearning
import Testing

@Suite struct LearningCurveTests {
    @Test func aCurveIsFoundAgainAndForecasts() throws {
        let answers = [10.0, 20, 40, 80, 160]
        let curve = try #require(LearningCurve(answers: answers, quality: answers.map { 0.95 - 0.8 / $0.squareRoot() }))
        #expect(abs(curve.limit - 0.95) < 1e-9 && abs(curve.exponent - 0.5) < 1e-9)
        // 0.95 − 0.8/√n = 0.9 at n = 256.
        #expect(abs(try #require(curve.answers(for: 0.9)) - 256) < 1e-6)
        #expect(curve.answers(for: 0.96) == nil)
    }

    @Test func aLimitAboveOneIsNotBelieved() throws {
        let curve = try #require(LearningCurve(answers: [10, 20, 40], quality: [0.5, 0.7, 0.95]))
        #expect(curve.limit <= 1)
    }

    @Test func nothingIsForecastFromTooLittleOrFromDecline() {
        #expect(LearningCurve(answers: [10, 20], quality: [0.5, 0.7]) == nil)
        #expect(LearningCurve(answers: [10, 20, 40], quality: [0.9, 0.8, 0.7]) == nil)
        #expect(LearningCurve(answers: [10, 20, 40], quality: [0.5, .nan, .nan]) == nil)
    }

    @Test func oneMayStopOnlyWhenNothingChangesAnyMore() {
        let rule = StopRule()
        let still = [0.0, 0.005, 0.002]
        #expect(rule.isMet(quality: [0.7, 0.9, 0.901, 0.9, 0.902], flipped: [.nan, 0.2] + still))
        #expect(!rule.isMet(quality: [0.7, 0.9, 0.901, 0.9, 0.92], flipped: [.nan, 0.2] + still))
        #expect(!rule.isMet(quality: [0.7, 0.9, 0.901, 0.9, 0.902], flipped: [.nan, 0.2, 0.0, 0.05, 0.0]))
        #expect(!rule.isMet(quality: [0.9, 0.9, 0.9], flipped: still))
        #expect(!rule.isMet(quality: [0.9, 0.9, .nan, .nan, .nan], flipped: [0, 0] + still))
    }
}
