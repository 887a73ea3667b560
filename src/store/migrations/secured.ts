/** What makes a table one of tenants: nobody sees or writes a row but in the scope of its tenant. */
export const secured = (table: string): ReadonlyArray<string> => [
  `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
  `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY`,
  `CREATE POLICY tenant_isolation ON ${table}
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))`,
  `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO zapiska_runtime`
]
