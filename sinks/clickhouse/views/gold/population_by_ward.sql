CREATE OR REPLACE VIEW gold.population_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    citizens UInt64 COMMENT 'Số người — People',
    male UInt64 COMMENT 'Nam — Men',
    female UInt64 COMMENT 'Nữ — Women',
    under_6 UInt64 COMMENT 'Dưới 6 tuổi — Under 6',
    aged_60_up UInt64 COMMENT 'Từ 60 tuổi — 60 and older',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_citizen', 'population_ward')) AS fresh,
    toDate(fresh) AS today
SELECT
    c.ward_code AS ward_code,
    any(w.name) AS ward_name,
    count() AS citizens,
    countIf(c.sex = 'male') AS male,
    countIf(c.sex = 'female') AS female,
    countIf(age('year', assumeNotNull(c.birth_date), today) < 6) AS under_6,
    countIf(age('year', assumeNotNull(c.birth_date), today) >= 60) AS aged_60_up,
    any(fresh) AS as_of
FROM silver.v_population_citizen AS c
LEFT ANY JOIN gold.ward AS w ON w.code = c.ward_code
WHERE c.status = 'alive'
GROUP BY c.ward_code
COMMENT 'Dân số đang cư trú theo phường, xã, giới tính và nhóm tuổi — Resident population by ward, sex and age'
