-- by source, sector, table
-- share = records, linked
SELECT source, sector, table, 'identity_link' AS trace_dataset, _record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['records', 'linked', 'review'], [1, citizen IS NOT NULL, ifNull(decision = 'review', 0)]) AS trace_figures
FROM silver.identity_link FINAL
