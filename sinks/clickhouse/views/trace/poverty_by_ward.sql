-- by ward_code
-- ward_name = poor, near_poor, escaped, members, ward_name
SELECT h.ward_code AS ward_code, 'welfare_household' AS trace_dataset, h._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['poor', 'near_poor', 'escaped', 'members'],
        [ifNull(h.category = 'poor', 0), ifNull(h.category = 'near_poor', 0), ifNull(h.category = 'escaped', 0), ifNull(h.category != 'escaped', 0)]) AS trace_figures
FROM silver.v_welfare_household AS h
UNION ALL
SELECT h.ward_code, 'welfare_household_member', m._record, 'counted', ['members']
FROM silver.v_welfare_household AS h
INNER JOIN silver.v_welfare_household_member AS m ON m.household_id = h.household_id AND m._source = h._source
WHERE h.category != 'escaped'
UNION ALL
SELECT code, trace_dataset, trace_record, 'joined', ['ward_name'] FROM trace.ward
