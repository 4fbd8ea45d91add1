internal import Foundation
internal import GRDB

/// The tables, and how those of earlier versions become them.
enum StoreSchema {
    /// A migration that has been published is never changed: databases out there have it behind them.
    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: jobs and the content that workers died of") { db in
            try db.execute(sql: first)
        }
        return migrator
    }()

    /// Paths and lists of words are blobs: names of files need not be UTF-8. Times are seconds since 1970.
    private static let first = """
        CREATE TABLE job (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            folder TEXT NOT NULL,
            relative_path BLOB NOT NULL,
            source BLOB NOT NULL,
            target BLOB NOT NULL,
            size INTEGER NOT NULL,
            modified INTEGER NOT NULL,
            content_hash TEXT,
            arguments BLOB NOT NULL,
            after TEXT NOT NULL,
            move_to TEXT,
            settings_identity TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('queued', 'probing', 'running', 'verifying', 'done', 'failed', 'cancelled')),
            hold TEXT,
            note TEXT,
            not_before REAL,
            attempts INTEGER NOT NULL,
            failed_attempts INTEGER NOT NULL,
            failure_code TEXT,
            failure_text TEXT,
            failure_may_pass INTEGER,
            request TEXT,
            owner_pid INTEGER,
            owner_start INTEGER,
            owner_boot TEXT,
            frames_done INTEGER NOT NULL,
            frames_rendered INTEGER NOT NULL,
            frames_total INTEGER,
            frames_per_second REAL,
            output_bytes INTEGER,
            busy_seconds REAL NOT NULL,
            notices BLOB NOT NULL,
            copy_of INTEGER,
            replaced_by INTEGER,
            created REAL NOT NULL,
            started REAL,
            finished REAL
        ) STRICT;
        -- At most one job stands for a file as it is now; a replaced one stands aside from the moment its successor is made.
        CREATE UNIQUE INDEX job_by_file ON job (folder, relative_path) WHERE replaced_by IS NULL;
        CREATE INDEX job_by_state ON job (state, id);
        CREATE INDEX job_waiting ON job (failed_attempts > 0, COALESCE(not_before, created), id) WHERE state = 'queued';
        CREATE INDEX job_at_work_by_target ON job (target) WHERE state IN ('probing', 'running', 'verifying');
        CREATE INDEX job_at_work_by_content ON job (content_hash, settings_identity, state) WHERE state IN ('probing', 'running', 'verifying');
        CREATE INDEX job_by_content ON job (content_hash, settings_identity) WHERE content_hash IS NOT NULL;
        CREATE TABLE deadly_content (
            content TEXT PRIMARY KEY NOT NULL,
            deaths INTEGER NOT NULL,
            last_death REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
