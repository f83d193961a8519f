-- by record
-- kind = declared
-- person_id = declared
-- ward_code = declared
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('tax_taxpayer', 'tax_declaration', 'tax_tax_payment')) AS today
SELECT t._record AS record, 'tax_taxpayer' AS trace_dataset, t._record AS trace_record, 'joined' AS trace_part, ['declared', 'paid', 'owed', 'overdue'] AS trace_figures
FROM silver.v_tax_taxpayer AS t
INNER JOIN silver.v_tax_declaration AS d ON d.taxpayer_id = t.taxpayer_id AND d._source = t._source
UNION ALL
SELECT t._record, 'tax_declaration', d._record, 'counted', if(ifNull(d.due_on < today, 0), ['declared', 'paid', 'owed', 'overdue'], ['declared', 'paid', 'owed'])
FROM silver.v_tax_taxpayer AS t
INNER JOIN silver.v_tax_declaration AS d ON d.taxpayer_id = t.taxpayer_id AND d._source = t._source
UNION ALL
SELECT t._record, 'tax_tax_payment', p._record, 'counted', if(ifNull(d.due_on < today, 0), ['paid', 'owed', 'overdue'], ['paid', 'owed'])
FROM silver.v_tax_taxpayer AS t
INNER JOIN silver.v_tax_declaration AS d ON d.taxpayer_id = t.taxpayer_id AND d._source = t._source
INNER JOIN silver.v_tax_tax_payment AS p ON p.declaration_id = d.declaration_id AND p._source = d._source
