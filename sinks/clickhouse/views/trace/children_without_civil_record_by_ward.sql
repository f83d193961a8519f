-- by ward_code, ward_since
-- ward_name = children, ward_name
-- share = children, without_record
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('health_patient', 'population_citizen', 'identity_link')) AS today
SELECT p.ward_code AS ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(p.updated_at), toDate32(0)), NULL, w.since) AS ward_since, 'health_patient' AS trace_dataset, p._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['children', 'without_record'], [1, p.citizen IS NULL]) AS trace_figures
FROM silver.v_health_patient AS p
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = p.ward_code AND w.since <= ifNull(toDate32(p.updated_at), toDate32(0))
WHERE p.birth_date IS NOT NULL AND age('year', assumeNotNull(p.birth_date), today) < 6
UNION ALL
SELECT code, valid_from, 'population_ward', _record, 'joined', ['ward_name', 'children', 'without_record'] FROM silver.v_population_ward
