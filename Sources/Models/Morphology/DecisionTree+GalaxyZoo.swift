extension DecisionTree {
    /// The trees that the program knows by name.
    public static let builtIn: [String: DecisionTree] = ["desi": .desi, "gz2": .galaxyZoo2]

    /// Galaxy Zoo DECaLS, DR5/DR8 and DESI: 10 questions, 34 answers (Walmsley et al. 2022, arXiv 2102.08414, figure 4).
    public static let desi = make(
        "desi",
        [
            ("smooth-or-featured", ["smooth", "featured-or-disk", "artifact"], nil),
            ("disk-edge-on", ["yes", "no"], ("smooth-or-featured", "featured-or-disk")),
            ("has-spiral-arms", ["yes", "no"], ("disk-edge-on", "no")),
            ("bar", ["strong", "weak", "no"], ("disk-edge-on", "no")),
            ("bulge-size", ["dominant", "large", "moderate", "small", "none"], ("disk-edge-on", "no")),
            ("how-rounded", ["round", "in-between", "cigar-shaped"], ("smooth-or-featured", "smooth")),
            ("edge-on-bulge", ["boxy", "none", "rounded"], ("disk-edge-on", "yes")),
            ("spiral-winding", ["tight", "medium", "loose"], ("has-spiral-arms", "yes")),
            ("spiral-arm-count", ["1", "2", "3", "4", "more-than-4", "cant-tell"], ("has-spiral-arms", "yes")),
            ("merging", ["none", "minor-disturbance", "major-disturbance", "merger"], nil),
        ], columns: [:])

    /// Galaxy Zoo 2: 11 questions, 37 answers (Willett et al. 2013, arXiv 1308.3496, table 2). Names are Zoobot's; the columns
    /// `t01_smooth_or_features_a01_smooth_count` … of the published tables are known too.
    public static let galaxyZoo2 = make(
        "gz2",
        [
            ("smooth-or-featured", ["smooth", "featured-or-disk", "artifact"], nil),
            ("disk-edge-on", ["yes", "no"], ("smooth-or-featured", "featured-or-disk")),
            ("has-spiral-arms", ["yes", "no"], ("disk-edge-on", "no")),
            ("bar", ["yes", "no"], ("disk-edge-on", "no")),
            ("bulge-size", ["dominant", "obvious", "just-noticeable", "no"], ("disk-edge-on", "no")),
            ("something-odd", ["yes", "no"], nil),
            ("how-rounded", ["round", "in-between", "cigar"], ("smooth-or-featured", "smooth")),
            (
                "odd-feature", ["ring", "lens-or-arc", "disturbed", "irregular", "other", "merger", "dust-lane"],
                ("something-odd", "yes")
            ),
            ("bulge-shape", ["round", "boxy", "no-bulge"], ("disk-edge-on", "yes")),
            ("spiral-winding", ["tight", "medium", "loose"], ("has-spiral-arms", "yes")),
            ("spiral-arm-count", ["1", "2", "3", "4", "more-than-4", "cant-tell"], ("has-spiral-arms", "yes")),
        ],
        columns: [
            "smooth-or-featured": [
                "t01_smooth_or_features", "a01_smooth", "a02_features_or_disk", "a03_star_or_artifact",
            ],
            "disk-edge-on": ["t02_edgeon", "a04_yes", "a05_no"],
            "bar": ["t03_bar", "a06_bar", "a07_no_bar"],
            "has-spiral-arms": ["t04_spiral", "a08_spiral", "a09_no_spiral"],
            "bulge-size": [
                "t05_bulge_prominence", "a13_dominant", "a12_obvious", "a11_just_noticeable", "a10_no_bulge",
            ],
            "something-odd": ["t06_odd", "a14_yes", "a15_no"],
            "how-rounded": ["t07_rounded", "a16_completely_round", "a17_in_between", "a18_cigar_shaped"],
            "odd-feature": [
                "t08_odd_feature", "a19_ring", "a20_lens_or_arc", "a21_disturbed", "a22_irregular", "a23_other",
                "a24_merger", "a38_dust_lane",
            ],
            "bulge-shape": ["t09_bulge_shape", "a25_rounded", "a26_boxy", "a27_no_bulge"],
            "spiral-winding": ["t10_arms_winding", "a28_tight", "a29_medium", "a30_loose"],
            "spiral-arm-count": [
                "t11_arms_number", "a31_1", "a32_2", "a33_3", "a34_4", "a36_more_than_4", "a37_cant_tell",
            ],
        ])

    /// - Parameter columns: for a question its task in the published tables, then its answers there.
    private static func make(
        _ name: String, _ questions: [(String, [String], (String, String)?)], columns: [String: [String]]
    ) -> DecisionTree {
        let list = questions.map { question, answers, parent in
            let theirs = columns[question]
            return Question(
                question,
                answers.enumerated().map { place, answer in
                    Answer(answer, columns: theirs.map { ["\($0[0])_\($0[place + 1])_count"] } ?? [])
                }, parent: parent.map { Parent($0.0, $0.1) })
        }
        do { return try DecisionTree(name: name, questions: list) } catch {
            preconditionFailure("[DecisionTree] expected the built-in trees to be valid: \(error)")
        }
    }
}
