-- by ward_code, ward_since
-- ward_name = poor, near_poor, escaped, members, ward_name
SELECT h.ward_code AS ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(h.decided_on), toDate32(0)), NULL, w.since) AS ward_since, 'welfare_household' AS trace_dataset, h._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['poor', 'near_poor', 'escaped', 'members'],
        [ifNull(h.category = 'poor', 0), ifNull(h.category = 'near_poor', 0), ifNull(h.category = 'escaped', 0), ifNull(h.category != 'escaped', 0)]) AS trace_figures
FROM silver.v_welfare_household AS h
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = h.ward_code AND w.since <= ifNull(toDate32(h.decided_on), toDate32(0))
UNION ALL
SELECT h.ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(h.decided_on), toDate32(0)), NULL, w.since), 'welfare_household_member', m._record, 'counted', ['members']
FROM silver.v_welfare_household AS h
INNER JOIN silver.v_welfare_household_member AS m ON m.household_id = h.household_id AND m._source = h._source
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = h.ward_code AND w.since <= ifNull(toDate32(h.decided_on), toDate32(0))
WHERE h.category != 'escaped'
UNION ALL
SELECT code, valid_from, 'population_ward', _record, 'joined', ['ward_name', 'poor', 'near_poor', 'escaped', 'members'] FROM silver.v_population_ward
