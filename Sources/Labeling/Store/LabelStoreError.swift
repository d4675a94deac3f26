import Foundation
import GRDB

/// What went wrong with a label store: which file, and what can be done about it.
public struct LabelStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// Another process holds the file and did not let go in time.
        case locked
        /// The disk, or the user's share of it, is full.
        case full
        /// The file or its folder cannot be written.
        case readOnly
        /// The file cannot be opened at all.
        case cannotOpen
        /// The file is no database, or is one of another program.
        case notADatabase
        /// The file is a label store whose pages are damaged.
        case corrupted
        /// The file was written by a newer version of this program.
        case newerSchema
        /// An object, task, question, answer or session that the store does not have.
        case unknown
        /// Anything else that SQLite reports.
        case database
    }

    public let kind: Kind
    public let path: String
    public let reason: String

    public init(_ kind: Kind, path: String, _ reason: String) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }

    /// An error of the database, in words.
    init(_ error: any Error, path: String) {
        if let known = error as? LabelStoreError {
            self = known
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(.database, path: path, "\(error)")
            return
        }
        let text = error.message ?? "error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.locked, path: path, "is locked by another program; nothing was changed, try again")
        case .SQLITE_FULL:
            self.init(.full, path: path, "the disk is full; nothing was changed, make room and try again")
        case .SQLITE_READONLY, .SQLITE_PERM:
            self.init(.readOnly, path: path, "the file or its folder is read-only (\(text))")
        case .SQLITE_IOERR:
            self.init(
                .full, path: path,
                "cannot be written (\(text)); the disk may be full or the quota used up; nothing was changed")
        case .SQLITE_CANTOPEN:
            self.init(
                .cannotOpen, path: path, "cannot be opened (\(text)); does the folder exist and may you write in it?")
        case .SQLITE_NOTADB:
            self.init(.notADatabase, path: path, "is no label store: \(text)")
        case .SQLITE_CORRUPT:
            self.init(.corrupted, path: path, "is damaged: \(text); 'sqlite3 FILE .recover' saves what can be read")
        default:
            self.init(.database, path: path, "\(error)")
        }
    }
}
