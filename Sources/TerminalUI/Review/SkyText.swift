import Foundation

/// Positions on the sky as people read them.
public enum SkyText {
    /// Right ascension as hours, minutes and seconds, to 0.01 s.
    public static func hours(_ degrees: Double) -> String {
        guard degrees.isFinite else { return "–" }
        var turn = degrees.truncatingRemainder(dividingBy: 360)
        if turn < 0 { turn += 360 }
        let hundredths = Int((turn / 15 * 360_000).rounded()) % (24 * 360_000)
        let (seconds, rest) = (hundredths / 100, hundredths % 100)
        return String(format: "%02d:%02d:%02d.%02d", seconds / 3600, seconds / 60 % 60, seconds % 60, rest)
    }

    /// Declination as degrees, arcminutes and arcseconds, to 0.1″.
    public static func degrees(_ degrees: Double) -> String {
        guard degrees.isFinite else { return "–" }
        let tenths = Int((abs(degrees) * 36_000).rounded())
        let (seconds, rest) = (tenths / 10, tenths % 10)
        return String(
            format: "%@%02d:%02d:%02d.%d", degrees < 0 ? "-" : "+", seconds / 3600, seconds / 60 % 60, seconds % 60,
            rest)
    }
}
