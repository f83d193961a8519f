-- by fund_id, name, year
-- left = allocated, spent
-- spent_share = allocated, spent
SELECT fund_id, name, year, 'welfare_fund' AS trace_dataset, _record AS trace_record, 'counted' AS trace_part, ['name', 'programme', 'year', 'allocated', 'spent'] AS trace_figures
FROM silver.v_welfare_fund
