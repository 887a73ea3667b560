/** The first tables: members, handled updates, knowledge bases, outbox. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { secured } from "./secured.ts"

/** Enabled and forced for every tenant table; the policy compares the row with the transaction's tenant. */
const tables = [
  "tenants",
  "members",
  "refusals",
  "handled_updates",
  "knowledge_bases",
  "revisions",
  "revision_files",
  "files",
  "blobs",
  "notes",
  "note_members",
  "outbox"
]

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    `CREATE TABLE tenants (
      tenant_id text PRIMARY KEY,
      created_at timestamptz NOT NULL DEFAULT now()
    )`,
    // People who may use a bot of the tenant.
    `CREATE TABLE members (
      tenant_id text NOT NULL REFERENCES tenants,
      app text NOT NULL,
      user_id bigint NOT NULL,
      role text NOT NULL CHECK (role IN ('owner', 'member', 'reader')),
      name text NOT NULL,
      language text,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, app, user_id)
    )`,
    // Who was refused on which day, as a keyed digest: enough to refuse once a day, nothing about the person.
    `CREATE TABLE refusals (
      tenant_id text NOT NULL REFERENCES tenants,
      app text NOT NULL,
      refused_on date NOT NULL,
      digest bytea NOT NULL,
      PRIMARY KEY (tenant_id, app, refused_on, digest)
    )`,
    // Every update whose effects are durable. The one place that decides whether something is done.
    `CREATE TABLE handled_updates (
      tenant_id text NOT NULL REFERENCES tenants,
      bot_id bigint NOT NULL,
      update_id bigint NOT NULL,
      unit text NOT NULL,
      handled_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (tenant_id, bot_id, update_id)
    )`,
    `CREATE TABLE knowledge_bases (
      tenant_id text NOT NULL REFERENCES tenants,
      name text NOT NULL,
      head bigint NOT NULL DEFAULT 0,
      PRIMARY KEY (tenant_id, name)
    )`,
    `CREATE TABLE blobs (
      tenant_id text NOT NULL REFERENCES tenants,
      hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
      bytes bytea NOT NULL,
      PRIMARY KEY (tenant_id, hash)
    )`,
    `CREATE TABLE revisions (
      tenant_id text NOT NULL,
      kb text NOT NULL,
      number bigint NOT NULL,
      kind text NOT NULL,
      author_name text NOT NULL,
      author_email text NOT NULL,
      date_ms bigint NOT NULL,
      message text NOT NULL,
      raw_commit bytea,
      PRIMARY KEY (tenant_id, kb, number),
      FOREIGN KEY (tenant_id, kb) REFERENCES knowledge_bases (tenant_id, name)
    )`,
    // `previous` is the content the change replaced, which undo restores.
    `CREATE TABLE revision_files (
      tenant_id text NOT NULL,
      kb text NOT NULL,
      number bigint NOT NULL,
      path text NOT NULL,
      blob text,
      mode text NOT NULL,
      previous text,
      previous_mode text,
      PRIMARY KEY (tenant_id, kb, number, path),
      FOREIGN KEY (tenant_id, kb, number) REFERENCES revisions (tenant_id, kb, number),
      FOREIGN KEY (tenant_id, blob) REFERENCES blobs (tenant_id, hash)
    )`,
    `CREATE INDEX revision_files_path ON revision_files (tenant_id, kb, path, number)`,
    // The files of the head, so that nobody replays the log to read one. `folded` is the path as macOS and
    // Windows compare it; a column, because row-level security keeps lower() out of index conditions.
    `CREATE TABLE files (
      tenant_id text NOT NULL,
      kb text NOT NULL,
      path text NOT NULL,
      blob text NOT NULL,
      mode text NOT NULL,
      number bigint NOT NULL,
      folded text COLLATE "C" GENERATED ALWAYS AS (lower(normalize(path))) STORED,
      PRIMARY KEY (tenant_id, kb, path),
      FOREIGN KEY (tenant_id, kb) REFERENCES knowledge_bases (tenant_id, name),
      FOREIGN KEY (tenant_id, blob) REFERENCES blobs (tenant_id, hash)
    )`,
    `CREATE INDEX files_folded ON files (tenant_id, kb, folded)`,
    // A note whose file is gone keeps its row with `removed`, so that a late edit of its message does not bring it back.
    // `words` are those of title, tags, category and text, for search.
    `CREATE TABLE notes (
      tenant_id text NOT NULL,
      kb text NOT NULL,
      note_id text NOT NULL,
      path text NOT NULL,
      title text NOT NULL,
      category text NOT NULL,
      tags text[] NOT NULL,
      created_ms bigint NOT NULL,
      updated_ms bigint NOT NULL,
      number bigint NOT NULL,
      removed boolean NOT NULL DEFAULT false,
      words tsvector NOT NULL,
      PRIMARY KEY (tenant_id, kb, note_id),
      FOREIGN KEY (tenant_id, kb) REFERENCES knowledge_bases (tenant_id, name)
    )`,
    `CREATE INDEX notes_created ON notes (tenant_id, kb, created_ms DESC)`,
    `CREATE INDEX notes_path ON notes (tenant_id, kb, path)`,
    `CREATE TABLE note_members (
      tenant_id text NOT NULL,
      kb text NOT NULL,
      note_id text NOT NULL,
      bot_id bigint NOT NULL,
      update_id bigint NOT NULL,
      chat_id bigint NOT NULL,
      message_id bigint NOT NULL,
      album_id text,
      date_s bigint NOT NULL,
      edited_s bigint NOT NULL DEFAULT 0,
      block text NOT NULL,
      PRIMARY KEY (tenant_id, kb, bot_id, chat_id, message_id),
      FOREIGN KEY (tenant_id, kb, note_id) REFERENCES notes (tenant_id, kb, note_id)
    )`,
    `CREATE INDEX note_members_note ON note_members (tenant_id, kb, note_id)`,
    `CREATE INDEX note_members_album ON note_members (tenant_id, kb, chat_id, album_id) WHERE album_id IS NOT NULL`,
    `CREATE TABLE outbox (
      tenant_id text NOT NULL REFERENCES tenants,
      id bigint GENERATED ALWAYS AS IDENTITY,
      app text NOT NULL,
      bot_id bigint NOT NULL,
      chat_id bigint NOT NULL,
      thread_id bigint NOT NULL DEFAULT 0,
      key text NOT NULL,
      delivery text NOT NULL CHECK (delivery IN ('result', 'chatter')),
      action text NOT NULL,
      trace text,
      state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'dead')),
      attempts int NOT NULL DEFAULT 0,
      not_before timestamptz,
      message_id bigint,
      error text,
      created_at timestamptz NOT NULL DEFAULT now(),
      settled_at timestamptz,
      PRIMARY KEY (tenant_id, id),
      UNIQUE (tenant_id, bot_id, key)
    )`,
    `CREATE INDEX outbox_open ON outbox (tenant_id, bot_id, chat_id, thread_id, id) WHERE state IN ('pending', 'sending')`
  ]) {
    yield* sql.unsafe(statement)
  }
  for (const statement of tables.flatMap(secured)) yield* sql.unsafe(statement)
  // Every key begins with the tenant (and the knowledge base), of which there are few. Not knowing that, a
  // planner takes any index of a young table for as good as another and reads whole knowledge bases; it would
  // learn it from the first automatic ANALYZE, a minute later. PostgreSQL 18 can be told.
  yield* sql.unsafe(`DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN
      PERFORM pg_restore_attribute_stats('schemaname', n.nspname::text, 'relname', c.relname::text,
        'attname', a.attname::text, 'inherited', false, 'version', current_setting('server_version_num')::int,
        'null_frac', 0::real, 'avg_width', 8, 'n_distinct', 1::real)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attname IN ('tenant_id', 'kb');
    END IF;
  END $$`)
})
