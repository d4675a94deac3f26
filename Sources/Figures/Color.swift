/// An opaque sRGB colour, components 0 … 1.
public struct Color: Sendable, Equatable {
    public var red: Double
    public var green: Double
    public var blue: Double

    public init(red: Double, green: Double, blue: Double) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// 0xRRGGBB.
    init(_ hex: Int) {
        self.init(
            red: Double(hex >> 16 & 255) / 255, green: Double(hex >> 8 & 255) / 255, blue: Double(hex & 255) / 255)
    }

    public static let black = Color(0x000000)
    public static let white = Color(0xFFFFFF)

    /// Colours of the curves of a plot, told apart by colour-blind readers too (Okabe & Ito 2008).
    public static let series: [Color] = [
        Color(0x0072B2), Color(0xD55E00), Color(0x009E73), Color(0xCC79A7), Color(0xE69F00), Color(0x56B4E9),
    ]

    /// Of what stands behind the curves.
    static let paleSeries = Color(0xB8CBD8)
    static let ink = Color(0x222222)
    static let faintInk = Color(0x6B6B6B)
    static let grid = Color(0xE4E4E4)
    static let night = Color(0x101318)
    static let nightRule = Color(0x2B313B)
    static let nightText = Color(0xE8EAED)
    static let nightFaint = Color(0x9AA4B2)
    static let accent = Color(0xE6A03C)
}
