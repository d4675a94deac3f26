/// The stages that a run may have, in the order in which data flows through them.
public enum StageKind: String, CaseIterable, Sendable {
    case load
    case stamp
    case embed
    case classify
    case measure
    case detect
    case restore
    case score
    case catalog
    case contactSheet = "contact-sheet"

    /// Place in the order of stages.
    var position: Int { Self.allCases.firstIndex(of: self)! }

    /// Stages that must come before this one.
    var needs: [StageKind] {
        switch self {
        case .load: []
        case .stamp: [.load]
        case .embed: [.load, .stamp]
        case .classify, .measure, .detect, .restore: [.load, .stamp]
        case .score: [.embed]
        case .catalog: [.load, .stamp]
        case .contactSheet: [.score]
        }
    }

    /// What the stage does, in one sentence.
    public var help: String {
        switch self {
        case .load: "Finds the images below the input folder and reads them."
        case .stamp: "Cuts the centre out of each image, resizes and normalises it as the model expects."
        case .embed: "Computes one embedding an object with the backbone."
        case .classify: "Says what each object looks like, with calibrated probabilities."
        case .measure: "Measures the galaxy in the middle of each image: magnitude, size, shape, morphology."
        case .detect: "Finds the sources in each image; a catalog of them for each."
        case .restore: "Removes noise and fills gaps of each image; a FITS file for each."
        case .score: "Scores each object by the mean distance to its nearest neighbours among the embeddings."
        case .catalog: "Writes the catalog."
        case .contactSheet: "Draws the most unusual objects into one picture."
        }
    }

    /// The stage's settings.
    public var settings: [Setting] {
        switch self {
        case .load: LoadSettings.settings
        case .stamp: StampSettings.settings
        case .embed: EmbedSettings.settings
        case .classify: ClassifySettings.settings
        case .measure: MeasureSettings.settings
        case .detect: DetectSettings.settings
        case .restore: RestoreSettings.settings
        case .score: ScoreSettings.settings
        case .catalog: CatalogSettings.settings
        case .contactSheet: ContactSheetSettings.settings
        }
    }
}
