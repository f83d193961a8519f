-- by code, name, kind
SELECT code, name, kind, 'population_ward' AS trace_dataset, _record AS trace_record, 'counted' AS trace_part, ['code', 'name', 'kind'] AS trace_figures
FROM silver.v_population_ward
WHERE valid_from <= (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('population_ward')) AND (valid_to IS NULL OR valid_to >= (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('population_ward')))
