import GRDB

extension LabelStore {
    /// Brings the tables to the newest form, one step after the other.
    static func migrate(_ queue: DatabaseQueue, path: String) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 objects, proposals, decisions") { db in
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: firstSchema)
        }
        let state = try queue.read { db in
            (superseded: try migrator.hasBeenSuperseded(db), complete: try migrator.hasCompletedMigrations(db))
        }
        if state.superseded {
            throw LabelStoreError(
                .newerSchema, path: path, "was written by a newer version of this program; update to read it")
        }
        if state.complete { return }
        let foreign = try queue.read { db in
            try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM sqlite_master WHERE name NOT LIKE 'grdb_%'") ?? 0
        }
        let ours = try queue.read { db in try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0 }
        guard foreign == 0 || ours == applicationID else {
            throw LabelStoreError(.notADatabase, path: path, "is a database of another program")
        }
        try migrator.migrate(queue)
    }

    /// `decision` is the log: rows are added and never changed. `vote`, `done`, `queue.open` and `position` follow from it
    /// and are kept in the same transaction, so that the next object is found through an index.
    private static let firstSchema = """
        CREATE TABLE object (
            key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL, ra REAL, dec REAL,
            row INTEGER NOT NULL, metadata TEXT);
        CREATE INDEX object_row ON object(row);

        CREATE TABLE task (
            name TEXT PRIMARY KEY, tree TEXT NOT NULL, retirement TEXT NOT NULL, strategy TEXT NOT NULL) WITHOUT ROWID;

        CREATE TABLE queue (
            task TEXT NOT NULL REFERENCES task(name), rank INTEGER NOT NULL,
            object INTEGER NOT NULL REFERENCES object(key), open INTEGER NOT NULL,
            PRIMARY KEY (task, rank)) WITHOUT ROWID;
        CREATE UNIQUE INDEX queue_object ON queue(task, object);
        CREATE INDEX queue_open ON queue(task, rank) WHERE open = 1;

        CREATE TABLE proposal (
            task TEXT NOT NULL REFERENCES task(name), object INTEGER NOT NULL REFERENCES object(key),
            place INTEGER NOT NULL, question TEXT NOT NULL, answer TEXT, probability REAL, uncertainty REAL,
            score REAL, strategy TEXT NOT NULL, model_version INTEGER,
            PRIMARY KEY (task, object, place)) WITHOUT ROWID;

        CREATE TABLE session (
            id INTEGER PRIMARY KEY AUTOINCREMENT, labeller TEXT NOT NULL, task TEXT NOT NULL REFERENCES task(name),
            started REAL NOT NULL, ended REAL);

        CREATE TABLE lease (
            task TEXT NOT NULL, object INTEGER NOT NULL REFERENCES object(key),
            session INTEGER NOT NULL REFERENCES session(id), expires REAL NOT NULL,
            PRIMARY KEY (task, object)) WITHOUT ROWID;
        CREATE INDEX lease_session ON lease(session);

        CREATE TABLE decision (
            id INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL REFERENCES session(id),
            labeller TEXT NOT NULL, task TEXT NOT NULL, object INTEGER NOT NULL REFERENCES object(key),
            kind TEXT NOT NULL CHECK (kind IN ('answer', 'undo', 'skip', 'artefact', 'comment')),
            question TEXT, answer TEXT, seconds REAL, comment TEXT, time REAL NOT NULL,
            model_answer TEXT, model_version INTEGER, cancels INTEGER REFERENCES decision(id));
        CREATE INDEX decision_object ON decision(task, object, labeller);
        CREATE INDEX decision_session ON decision(session);
        CREATE UNIQUE INDEX decision_cancels ON decision(cancels) WHERE cancels IS NOT NULL;
        CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision
            BEGIN SELECT RAISE(ABORT, 'the log of decisions only grows'); END;
        CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision
            BEGIN SELECT RAISE(ABORT, 'the log of decisions only grows'); END;

        CREATE TABLE vote (
            task TEXT NOT NULL, object INTEGER NOT NULL REFERENCES object(key), question TEXT NOT NULL,
            labeller TEXT NOT NULL, answer TEXT NOT NULL, decision INTEGER NOT NULL REFERENCES decision(id),
            PRIMARY KEY (task, object, question, labeller)) WITHOUT ROWID;

        CREATE TABLE done (
            task TEXT NOT NULL, labeller TEXT NOT NULL, object INTEGER NOT NULL REFERENCES object(key),
            skipped_in INTEGER, PRIMARY KEY (task, labeller, object)) WITHOUT ROWID;
        CREATE INDEX done_skipped ON done(task, labeller) WHERE skipped_in IS NOT NULL;

        CREATE TABLE position (
            task TEXT NOT NULL, labeller TEXT NOT NULL, rank INTEGER NOT NULL,
            PRIMARY KEY (task, labeller)) WITHOUT ROWID;

        CREATE TABLE model_version (
            version INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL REFERENCES task(name), created REAL NOT NULL,
            seed INTEGER NOT NULL, auc REAL, flipped REAL, summary TEXT NOT NULL, active INTEGER NOT NULL);
        CREATE TABLE model_label (
            version INTEGER NOT NULL REFERENCES model_version(version),
            decision INTEGER NOT NULL REFERENCES decision(id),
            PRIMARY KEY (version, decision)) WITHOUT ROWID;
        """
}
