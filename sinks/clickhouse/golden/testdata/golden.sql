CREATE OR REPLACE VIEW gold.`person_history`
(
    `record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `source` Nullable(String) COMMENT 'Nguồn của bản ghi — Source of the record',
    `sector` Nullable(String) COMMENT 'Lĩnh vực của bản ghi — Sector of the record',
    `table` Nullable(String) COMMENT 'Bảng của bản ghi — Table of the record',
    `person_id` String COMMENT 'Mã người mà bản ghi thuộc về trong thời gian đó — The person to whom the record belonged in that time',
    `citizen` Nullable(String) COMMENT 'Bản ghi dân cư của người đó — The person\'s record in the population register',
    `decision` Nullable(String) COMMENT 'Quyết định: link, review, apart, single — Decision: link, review, apart or single',
    `rule` Nullable(String) COMMENT 'Quy tắc đã liên kết — The rule that linked it',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
    `valid_from` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Có hiệu lực từ — Valid from',
    `valid_to` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Hết hiệu lực lúc; trống khi còn hiệu lực — Valid until; empty while it is valid',
    `version` UInt128 COMMENT 'Thứ tự trong nhật ký liên kết của bản ghi — Order in the log of the record\'s links'
)
AS
SELECT
    h.record AS `record`,
    h.source AS `source`,
    h.sector AS `sector`,
    h.table AS `table`,
    h.person_id AS `person_id`,
    h.citizen AS `citizen`,
    h.decision AS `decision`,
    h.rule AS `rule`,
    h.model_version AS `model_version`,
    h.valid_from AS `valid_from`,
    h.valid_to AS `valid_to`,
    h.version AS `version`
FROM
(
    SELECT
        _record AS record, source, sector, table, assumeNotNull(person_id) AS person_id, citizen, decision, rule, model_version,
        toTimeZone(_commit_time, 'Asia/Ho_Chi_Minh') AS valid_from,
        toTimeZone(min(toNullable(_commit_time)) OVER (PARTITION BY _record ORDER BY _version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 'Asia/Ho_Chi_Minh') AS valid_to,
        _version AS version, _is_deleted AS gone
    FROM bronze.identity_link
) AS h
WHERE h.gone = 0 AND h.person_id != '' AND (h.valid_to IS NULL OR h.valid_to > h.valid_from)
COMMENT 'Mỗi bản ghi là của ai, từ khi nào đến khi nào — To whom each record belonged, and when';

CREATE OR REPLACE VIEW gold.`person`
(
    `person_id` String COMMENT 'Mã người thống nhất trên mọi lĩnh vực — The person\'s id over all sectors',
    `citizen` Nullable(String) COMMENT 'Bản ghi dân cư của người đó; trống khi chưa liên kết — The person\'s record in the population register; empty while not linked',
    `members` UInt32 COMMENT 'Số bản ghi của người đó — Number of the person\'s records',
    `sources` Array(String) COMMENT 'Các nguồn có bản ghi của người đó — Sources that have a record of the person',
    `full_name` Nullable(String) COMMENT 'Họ, chữ đệm và tên khai sinh — Surname, middle name and given name as on the birth certificate',
    `full_name_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của full_name: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50, construction.permit 40) — The record that full_name came from: source, table, record, version, as of and trust (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50, construction.permit 40)',
    `full_name_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của full_name — Number of records with another value of full_name',
    `birth_date` Nullable(Date32) COMMENT 'Ngày sinh — Date of birth',
    `birth_date_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của birth_date: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50, construction.permit 40) — The record that birth_date came from: source, table, record, version, as of and trust (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50, construction.permit 40)',
    `birth_date_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của birth_date — Number of records with another value of birth_date',
    `sex` Nullable(String) COMMENT 'Giới tính: male là nam, female là nữ — Sex: male or female',
    `sex_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của sex: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50) — The record that sex came from: source, table, record, version, as of and trust (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50)',
    `sex_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của sex — Number of records with another value of sex',
    `died_on` Nullable(Date32) COMMENT 'Ngày mất — Date of death',
    `died_on_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của died_on: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.death 100) — The record that died_on came from: source, table, record, version, as of and trust (population.death 100)',
    `died_on_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của died_on — Number of records with another value of died_on',
    `cccd` Nullable(String) COMMENT 'Số định danh cá nhân (số căn cước công dân) gồm 12 chữ số (mã thay thế có khóa) — Twelve-digit personal identity number (citizen identity card) (a keyed token)',
    `cccd_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của cccd: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50, construction.permit 40) — The record that cccd came from: source, table, record, version, as of and trust (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50, construction.permit 40)',
    `cccd_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của cccd — Number of records with another value of cccd',
    `cmnd` Nullable(String) COMMENT 'Số chứng minh nhân dân cũ gồm 9 chữ số; hết giá trị từ năm 2025 (mã thay thế có khóa) — Old nine-digit identity card number; invalid since 2025 (a keyed token)',
    `cmnd_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của cmnd: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.household_member 60, health.patient 50) — The record that cmnd came from: source, table, record, version, as of and trust (population.citizen 100, welfare.household_member 60, health.patient 50)',
    `cmnd_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của cmnd — Number of records with another value of cmnd',
    `insurance_no` Nullable(String) COMMENT 'Mã số thẻ bảo hiểm y tế: 15 ký tự, hoặc 10 chữ số mã số bảo hiểm xã hội (mã thay thế có khóa) — Health insurance number: the card\'s 15 characters, or the 10 digits of the social insurance number (a keyed token)',
    `insurance_no_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của insurance_no: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (health.patient 80, welfare.beneficiary 70) — The record that insurance_no came from: source, table, record, version, as of and trust (health.patient 80, welfare.beneficiary 70)',
    `insurance_no_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của insurance_no — Number of records with another value of insurance_no',
    `tax_code` Nullable(String) COMMENT 'Mã số thuế: 10 chữ số; từ 01/7/2025 cá nhân và hộ kinh doanh dùng số định danh cá nhân (mã thay thế có khóa) — Tax code: 10 digits; since 1 July 2025 the personal identity number for persons and household businesses (a keyed token)',
    `tax_code_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của tax_code: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 100) — The record that tax_code came from: source, table, record, version, as of and trust (tax.taxpayer 100)',
    `tax_code_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của tax_code — Number of records with another value of tax_code',
    `phone` Nullable(String) COMMENT 'Số điện thoại của chủ đầu tư (mã thay thế có khóa) — The owner\'s telephone number (a keyed token)',
    `phone_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của phone: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (construction.permit 50, health.patient 50, population.citizen 50, tax.taxpayer 50, welfare.household_member 50, welfare.beneficiary 50) — The record that phone came from: source, table, record, version, as of and trust (construction.permit 50, health.patient 50, population.citizen 50, tax.taxpayer 50, welfare.household_member 50, welfare.beneficiary 50)',
    `phone_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của phone — Number of records with another value of phone',
    `ward_code` Nullable(String) COMMENT 'Mã phường, xã nơi cư trú — Code of the ward of residence',
    `ward_code_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của ward_code: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50) — The record that ward_code came from: source, table, record, version, as of and trust (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50)',
    `ward_code_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của ward_code — Number of records with another value of ward_code',
    `address` Nullable(String) COMMENT 'Địa chỉ nơi cư trú — Address of residence',
    `address_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của address: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50) — The record that address came from: source, table, record, version, as of and trust (population.citizen 100, welfare.beneficiary 70, tax.taxpayer 65, welfare.household_member 60, health.patient 50)',
    `address_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của address — Number of records with another value of address',
    `as_of` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
SELECT
    person_id AS `person_id`,
    citizen AS `citizen`,
    members AS `members`,
    sources AS `sources`,
    nullIf(w_full_name.4, '') AS `full_name`,
    CAST((w_full_name.6, w_full_name.7, w_full_name.5, w_full_name.8, nullIf(w_full_name.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_full_name.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `full_name_from`,
    toUInt32(arrayCount(x -> if(isASCII(x.2) OR isASCII(w_full_name.4), replaceAll(replaceRegexpAll(normalizeUTF8NFD(lowerUTF8(replaceRegexpAll(trimBoth(x.2), '\\s+', ' '))), '\\p{M}', ''), 'đ', 'd') != replaceAll(replaceRegexpAll(normalizeUTF8NFD(lowerUTF8(replaceRegexpAll(trimBoth(w_full_name.4), '\\s+', ' '))), '\\p{M}', ''), 'đ', 'd'), lowerUTF8(replaceRegexpAll(trimBoth(x.2), '\\s+', ' ')) != lowerUTF8(replaceRegexpAll(trimBoth(w_full_name.4), '\\s+', ' '))), c_full_name)) AS `full_name_disagree`,
    toDate32OrNull(w_birth_date.4) AS `birth_date`,
    CAST((w_birth_date.6, w_birth_date.7, w_birth_date.5, w_birth_date.8, nullIf(w_birth_date.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_birth_date.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `birth_date_from`,
    toUInt32(arrayCount(x -> x.2 != w_birth_date.4, c_birth_date)) AS `birth_date_disagree`,
    nullIf(w_sex.4, '') AS `sex`,
    CAST((w_sex.6, w_sex.7, w_sex.5, w_sex.8, nullIf(w_sex.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_sex.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `sex_from`,
    toUInt32(arrayCount(x -> x.2 != w_sex.4, c_sex)) AS `sex_disagree`,
    toDate32OrNull(w_died_on.4) AS `died_on`,
    CAST((w_died_on.6, w_died_on.7, w_died_on.5, w_died_on.8, nullIf(w_died_on.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_died_on.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `died_on_from`,
    toUInt32(arrayCount(x -> x.2 != w_died_on.4, c_died_on)) AS `died_on_disagree`,
    nullIf(w_cccd.4, '') AS `cccd`,
    CAST((w_cccd.6, w_cccd.7, w_cccd.5, w_cccd.8, nullIf(w_cccd.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_cccd.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `cccd_from`,
    toUInt32(arrayCount(x -> x.2 != w_cccd.4, c_cccd)) AS `cccd_disagree`,
    nullIf(w_cmnd.4, '') AS `cmnd`,
    CAST((w_cmnd.6, w_cmnd.7, w_cmnd.5, w_cmnd.8, nullIf(w_cmnd.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_cmnd.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `cmnd_from`,
    toUInt32(arrayCount(x -> x.2 != w_cmnd.4, c_cmnd)) AS `cmnd_disagree`,
    nullIf(w_insurance_no.4, '') AS `insurance_no`,
    CAST((w_insurance_no.6, w_insurance_no.7, w_insurance_no.5, w_insurance_no.8, nullIf(w_insurance_no.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_insurance_no.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `insurance_no_from`,
    toUInt32(arrayCount(x -> x.2 != w_insurance_no.4, c_insurance_no)) AS `insurance_no_disagree`,
    nullIf(w_tax_code.4, '') AS `tax_code`,
    CAST((w_tax_code.6, w_tax_code.7, w_tax_code.5, w_tax_code.8, nullIf(w_tax_code.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_tax_code.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `tax_code_from`,
    toUInt32(arrayCount(x -> x.2 != w_tax_code.4, c_tax_code)) AS `tax_code_disagree`,
    nullIf(w_phone.4, '') AS `phone`,
    CAST((w_phone.6, w_phone.7, w_phone.5, w_phone.8, nullIf(w_phone.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_phone.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `phone_from`,
    toUInt32(arrayCount(x -> x.2 != w_phone.4, c_phone)) AS `phone_disagree`,
    nullIf(w_ward_code.4, '') AS `ward_code`,
    CAST((w_ward_code.6, w_ward_code.7, w_ward_code.5, w_ward_code.8, nullIf(w_ward_code.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_ward_code.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `ward_code_from`,
    toUInt32(arrayCount(x -> x.2 != w_ward_code.4, c_ward_code)) AS `ward_code_disagree`,
    nullIf(w_address.4, '') AS `address`,
    CAST((w_address.6, w_address.7, w_address.5, w_address.8, nullIf(w_address.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_address.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `address_from`,
    toUInt32(arrayCount(x -> lowerUTF8(replaceRegexpAll(trimBoth(x.2), '\\s+', ' ')) != lowerUTF8(replaceRegexpAll(trimBoth(w_address.4), '\\s+', ' ')), c_address)) AS `address_disagree`,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit', 'health_patient', 'identity_link', 'population_citizen', 'population_death', 'tax_taxpayer', 'welfare_beneficiary', 'welfare_household_member')) AS `as_of`
FROM
(
    SELECT
        person_id,
        citizen,
        members,
        sources,
        c_full_name,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_full_name, arrayEnumerateUniq(c_full_name.1, c_full_name.2)) AS w_full_name,
        c_birth_date,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_birth_date, arrayEnumerateUniq(c_birth_date.1, c_birth_date.2)) AS w_birth_date,
        c_sex,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_sex, arrayEnumerateUniq(c_sex.1, c_sex.2)) AS w_sex,
        c_died_on,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_died_on, arrayEnumerateUniq(c_died_on.1, c_died_on.2)) AS w_died_on,
        c_cccd,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_cccd, arrayEnumerateUniq(c_cccd.1, c_cccd.2)) AS w_cccd,
        c_cmnd,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_cmnd, arrayEnumerateUniq(c_cmnd.1, c_cmnd.2)) AS w_cmnd,
        c_insurance_no,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_insurance_no, arrayEnumerateUniq(c_insurance_no.1, c_insurance_no.2)) AS w_insurance_no,
        c_tax_code,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_tax_code, arrayEnumerateUniq(c_tax_code.1, c_tax_code.2)) AS w_tax_code,
        c_phone,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_phone, arrayEnumerateUniq(c_phone.1, c_phone.2)) AS w_phone,
        c_ward_code,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_ward_code, arrayEnumerateUniq(c_ward_code.1, c_ward_code.2)) AS w_ward_code,
        c_address,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_address, arrayEnumerateUniq(c_address.1, c_address.2)) AS w_address
    FROM
    (
    SELECT
        person_id,
        citizen,
        members,
        sources,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.6, x.7, x.5, x.1, x.2, x.3, x.4), m))) AS c_full_name,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.8, x.9, x.5, x.1, x.2, x.3, x.4), m))) AS c_birth_date,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.10, x.11, x.5, x.1, x.2, x.3, x.4), m))) AS c_sex,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.12, x.13, x.5, x.1, x.2, x.3, x.4), m))) AS c_died_on,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.14, x.15, x.5, x.1, x.2, x.3, x.4), m))) AS c_cccd,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.16, x.17, x.5, x.1, x.2, x.3, x.4), m))) AS c_cmnd,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.18, x.19, x.5, x.1, x.2, x.3, x.4), m))) AS c_insurance_no,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.20, x.21, x.5, x.1, x.2, x.3, x.4), m))) AS c_tax_code,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.22, x.23, x.5, x.1, x.2, x.3, x.4), m))) AS c_phone,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.24, x.25, x.5, x.1, x.2, x.3, x.4), m))) AS c_ward_code,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.26, x.27, x.5, x.1, x.2, x.3, x.4), m))) AS c_address
    FROM
    (
    SELECT l.person_id AS person_id, max(l.citizen) AS citizen, toUInt32(countIf(r.link = r.record)) AS members,
        arraySort(groupUniqArray(r.said.2)) AS sources, groupArray(r.said) AS m
    FROM
    (
    SELECT link, kind, record, (record, toString(v_source), 'permit', v_version, v_as_of,
        toUInt8(multiIf(v_full_name = '', 0, isASCII(v_full_name) OR position(v_full_name, ' ') = 0, 20, 40)), v_full_name,
        toUInt8(multiIf(v_birth_date = '', 0, endsWith(v_birth_date, '-01-01'), 20, 40)), v_birth_date,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(if(v_cccd = '', 0, 40)), v_cccd,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(if(v_phone = '', 0, 50)), v_phone,
        toUInt8(0), '',
        toUInt8(0), '') AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['owner_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`owner_name`), '')))) AS v_full_name,
        if(hasAny(t._incomplete, ['owner_birth_date']), '', ifNull(toString(t.`owner_birth_date`), '')) AS v_birth_date,
        if(hasAny(t._incomplete, ['owner_cccd']), '', ifNull(toString(t.`owner_cccd`), '')) AS v_cccd,
        if(hasAny(t._incomplete, ['owner_phone']), '', ifNull(toString(t.`owner_phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        t._record AS link,
        '' AS kind,
        coalesce(toDateTime64OrNull(toString(t.`applied_on`), 6, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`construction_permit` AS t FINAL
    )
    UNION ALL
    SELECT link, kind, record, (record, toString(v_source), 'patient', v_version, v_as_of,
        toUInt8(multiIf(v_full_name = '', 0, isASCII(v_full_name) OR position(v_full_name, ' ') = 0, 25, 50)), v_full_name,
        toUInt8(multiIf(v_birth_date = '', 0, endsWith(v_birth_date, '-01-01'), 25, 50)), v_birth_date,
        toUInt8(if(v_sex = '', 0, 50)), v_sex,
        toUInt8(0), '',
        toUInt8(if(v_cccd = '', 0, 50)), v_cccd,
        toUInt8(if(v_cmnd = '', 0, 50)), v_cmnd,
        toUInt8(if(v_insurance_no = '', 0, 80)), v_insurance_no,
        toUInt8(0), '',
        toUInt8(if(v_phone = '', 0, 50)), v_phone,
        toUInt8(if(v_ward_code = '', 0, 50)), v_ward_code,
        toUInt8(if(v_address = '', 0, 50)), v_address) AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) AS v_full_name,
        if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) AS v_birth_date,
        if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) AS v_sex,
        if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) AS v_cccd,
        if(hasAny(t._incomplete, ['cmnd']), '', ifNull(toString(t.`cmnd`), '')) AS v_cmnd,
        if(hasAny(t._incomplete, ['insurance_no']), '', ifNull(toString(t.`insurance_no`), '')) AS v_insurance_no,
        if(hasAny(t._incomplete, ['phone']), '', ifNull(toString(t.`phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        t._record AS link,
        '' AS kind,
        coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`health_patient` AS t FINAL
    )
    UNION ALL
    SELECT link, kind, record, (record, toString(v_source), 'citizen', v_version, v_as_of,
        toUInt8(if(v_full_name = '', 0, 100)), v_full_name,
        toUInt8(if(v_birth_date = '', 0, 100)), v_birth_date,
        toUInt8(if(v_sex = '', 0, 100)), v_sex,
        toUInt8(0), '',
        toUInt8(if(v_cccd = '', 0, 100)), v_cccd,
        toUInt8(if(v_cmnd = '', 0, 100)), v_cmnd,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(if(v_phone = '', 0, 50)), v_phone,
        toUInt8(if(v_ward_code = '', 0, 100)), v_ward_code,
        toUInt8(if(v_address = '', 0, 100)), v_address) AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) AS v_full_name,
        if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) AS v_birth_date,
        if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) AS v_sex,
        if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) AS v_cccd,
        if(hasAny(t._incomplete, ['cmnd']), '', ifNull(toString(t.`cmnd`), '')) AS v_cmnd,
        if(hasAny(t._incomplete, ['phone']), '', ifNull(toString(t.`phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        t._record AS link,
        '' AS kind,
        coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`population_citizen` AS t FINAL
    )
    UNION ALL
    SELECT link, kind, record, (record, toString(v_source), 'death', v_version, v_as_of,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(if(v_died_on = '', 0, 100)), v_died_on,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(0), '') AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['died_on']), '', ifNull(toString(t.`died_on`), '')) AS v_died_on,
        concat(t._source, '.citizen:', toString(t.`citizen_id`)) AS link,
        '' AS kind,
        coalesce(toTimeZone(t.`registered_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`population_death` AS t FINAL
    )
    UNION ALL
    SELECT link, kind, record, (record, toString(v_source), 'taxpayer', v_version, v_as_of,
        toUInt8(multiIf(v_full_name = '', 0, isASCII(v_full_name) OR position(v_full_name, ' ') = 0, 33, 65)), v_full_name,
        toUInt8(multiIf(v_birth_date = '', 0, endsWith(v_birth_date, '-01-01'), 33, 65)), v_birth_date,
        toUInt8(if(v_sex = '', 0, 65)), v_sex,
        toUInt8(0), '',
        toUInt8(if(v_cccd = '', 0, 65)), v_cccd,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(if(v_tax_code = '' OR kind != '', 0, 100)), v_tax_code,
        toUInt8(if(v_phone = '' OR kind != '', 0, 50)), v_phone,
        toUInt8(if(v_ward_code = '' OR kind != '', 0, 65)), v_ward_code,
        toUInt8(if(v_address = '' OR kind != '', 0, 65)), v_address) AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) AS v_full_name,
        if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) AS v_birth_date,
        if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) AS v_sex,
        if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) AS v_cccd,
        if(hasAny(t._incomplete, ['tax_code']), '', ifNull(toString(t.`tax_code`), '')) AS v_tax_code,
        if(hasAny(t._incomplete, ['phone']), '', ifNull(toString(t.`phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        t._record AS link,
        multiIf(ifNull(toString(t.`kind`), '') IN ('household_business'), 'household_business', ifNull(toString(t.`kind`), '') IN ('company'), 'organisation', '') AS kind,
        coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`tax_taxpayer` AS t FINAL
        WHERE multiIf(ifNull(toString(t.`kind`), '') IN ('household_business'), 'household_business', ifNull(toString(t.`kind`), '') IN ('company'), 'organisation', '') = '' OR if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) != '' OR if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) != '' OR if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) != '' OR if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) != ''
    )
    UNION ALL
    SELECT link, kind, record, (record, toString(v_source), 'household_member', v_version, v_as_of,
        toUInt8(multiIf(v_full_name = '', 0, isASCII(v_full_name) OR position(v_full_name, ' ') = 0, 30, 60)), v_full_name,
        toUInt8(multiIf(v_birth_date = '', 0, endsWith(v_birth_date, '-01-01'), 30, 60)), v_birth_date,
        toUInt8(if(v_sex = '', 0, 60)), v_sex,
        toUInt8(0), '',
        toUInt8(if(v_cccd = '', 0, 60)), v_cccd,
        toUInt8(if(v_cmnd = '', 0, 60)), v_cmnd,
        toUInt8(0), '',
        toUInt8(0), '',
        toUInt8(if(v_phone = '', 0, 50)), v_phone,
        toUInt8(if(v_ward_code = '', 0, 60)), v_ward_code,
        toUInt8(if(v_address = '', 0, 60)), v_address) AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) AS v_full_name,
        if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) AS v_birth_date,
        if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) AS v_sex,
        if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) AS v_cccd,
        if(hasAny(t._incomplete, ['cmnd']), '', ifNull(toString(t.`cmnd`), '')) AS v_cmnd,
        if(hasAny(t._incomplete, ['phone']), '', ifNull(toString(t.`phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        t._record AS link,
        '' AS kind,
        coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`welfare_household_member` AS t FINAL
    )
    UNION ALL
    SELECT link, kind, record, (record, toString(v_source), 'beneficiary', v_version, v_as_of,
        toUInt8(multiIf(v_full_name = '', 0, isASCII(v_full_name) OR position(v_full_name, ' ') = 0, 35, 70)), v_full_name,
        toUInt8(multiIf(v_birth_date = '', 0, endsWith(v_birth_date, '-01-01'), 35, 70)), v_birth_date,
        toUInt8(if(v_sex = '', 0, 70)), v_sex,
        toUInt8(0), '',
        toUInt8(if(v_cccd = '', 0, 70)), v_cccd,
        toUInt8(0), '',
        toUInt8(if(v_insurance_no = '', 0, 70)), v_insurance_no,
        toUInt8(0), '',
        toUInt8(if(v_phone = '', 0, 50)), v_phone,
        toUInt8(if(v_ward_code = '', 0, 70)), v_ward_code,
        toUInt8(if(v_address = '', 0, 70)), v_address) AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) AS v_full_name,
        if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) AS v_birth_date,
        if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) AS v_sex,
        if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) AS v_cccd,
        if(hasAny(t._incomplete, ['insurance_no']), '', ifNull(toString(t.`insurance_no`), '')) AS v_insurance_no,
        if(hasAny(t._incomplete, ['phone']), '', ifNull(toString(t.`phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        t._record AS link,
        '' AS kind,
        coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`welfare_beneficiary` AS t FINAL
    )
    ) AS r
    INNER JOIN (SELECT record, assumeNotNull(person_id) AS person_id, citizen FROM silver.identity_link FINAL WHERE person_id != '') AS l ON l.record = r.link
    GROUP BY l.person_id
    )
    )
) AS node
COMMENT 'Mỗi người một dòng: giá trị được tin nhất của từng thuộc tính, bản ghi nguồn của nó và số bản ghi nói khác — One row a person: the surviving value of each attribute, the record that it came from, and how many records disagree';

CREATE OR REPLACE VIEW gold.`organisation_record`
(
    `record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `source` String COMMENT 'Nguồn của bản ghi — Source of the record',
    `table` String COMMENT 'Bảng của bản ghi — Table of the record',
    `kind` String COMMENT 'Loại: organisation là tổ chức, household_business là hộ kinh doanh — Kind: organisation or household_business',
    `organisation_id` String COMMENT 'Mã tổ chức, hộ kinh doanh thống nhất — The id of the organisation or household business over all sources'
)
AS
SELECT
    record AS `record`,
    source AS `source`,
    table AS `table`,
    kind AS `kind`,
    concat('o', lower(hex(substring(SHA256(min(record) OVER (PARTITION BY same)), 1, 12)))) AS `organisation_id`
FROM
(
    SELECT *, if(kind = 'organisation' AND code != '', ('code', code), ('record', record)) AS same
    FROM
    (
    SELECT t._record AS record, toString(t._source) AS source, 'taxpayer' AS table, multiIf(ifNull(toString(t.`kind`), '') IN ('household_business'), 'household_business', ifNull(toString(t.`kind`), '') IN ('company'), 'organisation', '') AS kind, if(hasAny(t._incomplete, ['tax_code']), '', ifNull(toString(t.`tax_code`), '')) AS code
    FROM `silver`.`tax_taxpayer` AS t FINAL
    WHERE kind != ''
    )
) AS r
COMMENT 'Mỗi bản ghi của tổ chức, hộ kinh doanh thuộc về tổ chức nào — To which organisation or household business each record belongs';

CREATE OR REPLACE VIEW gold.`organisation`
(
    `organisation_id` String COMMENT 'Mã tổ chức, hộ kinh doanh thống nhất — The id of the organisation or household business over all sources',
    `kind` String COMMENT 'Loại: organisation là tổ chức, household_business là hộ kinh doanh — Kind: organisation or household_business',
    `members` UInt32 COMMENT 'Số bản ghi của tổ chức — Number of its records',
    `sources` Array(String) COMMENT 'Các nguồn có bản ghi của tổ chức — Sources that have a record of it',
    `name` Nullable(String) COMMENT 'Tên hộ kinh doanh hoặc doanh nghiệp — Name of the household business or company',
    `name_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của name: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 65) — The record that name came from: source, table, record, version, as of and trust (tax.taxpayer 65)',
    `name_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của name — Number of records with another value of name',
    `tax_code` Nullable(String) COMMENT 'Mã số thuế: 10 chữ số; từ 01/7/2025 cá nhân và hộ kinh doanh dùng số định danh cá nhân (mã thay thế có khóa) — Tax code: 10 digits; since 1 July 2025 the personal identity number for persons and household businesses (a keyed token)',
    `tax_code_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của tax_code: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 100) — The record that tax_code came from: source, table, record, version, as of and trust (tax.taxpayer 100)',
    `tax_code_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của tax_code — Number of records with another value of tax_code',
    `phone` Nullable(String) COMMENT 'Số điện thoại liên hệ (mã thay thế có khóa) — Telephone number (a keyed token)',
    `phone_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của phone: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 50) — The record that phone came from: source, table, record, version, as of and trust (tax.taxpayer 50)',
    `phone_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của phone — Number of records with another value of phone',
    `ward_code` Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    `ward_code_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của ward_code: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 65) — The record that ward_code came from: source, table, record, version, as of and trust (tax.taxpayer 65)',
    `ward_code_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của ward_code — Number of records with another value of ward_code',
    `address` Nullable(String) COMMENT 'Địa chỉ đăng ký — Registered address',
    `address_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của address: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 65) — The record that address came from: source, table, record, version, as of and trust (tax.taxpayer 65)',
    `address_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của address — Number of records with another value of address',
    `registered_on` Nullable(Date32) COMMENT 'Ngày đăng ký thuế — Date of registration',
    `registered_on_from` Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')), trust UInt8) COMMENT 'Bản ghi nguồn của registered_on: nguồn, bảng, bản ghi, phiên bản, thời điểm và độ tin (tax.taxpayer 65) — The record that registered_on came from: source, table, record, version, as of and trust (tax.taxpayer 65)',
    `registered_on_disagree` UInt32 COMMENT 'Số bản ghi có giá trị khác của registered_on — Number of records with another value of registered_on',
    `as_of` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
SELECT
    organisation_id AS `organisation_id`,
    kind AS `kind`,
    members AS `members`,
    sources AS `sources`,
    nullIf(w_name.4, '') AS `name`,
    CAST((w_name.6, w_name.7, w_name.5, w_name.8, nullIf(w_name.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_name.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `name_from`,
    toUInt32(arrayCount(x -> lowerUTF8(replaceRegexpAll(trimBoth(x.2), '\\s+', ' ')) != lowerUTF8(replaceRegexpAll(trimBoth(w_name.4), '\\s+', ' ')), c_name)) AS `name_disagree`,
    nullIf(w_tax_code.4, '') AS `tax_code`,
    CAST((w_tax_code.6, w_tax_code.7, w_tax_code.5, w_tax_code.8, nullIf(w_tax_code.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_tax_code.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `tax_code_from`,
    toUInt32(arrayCount(x -> x.2 != w_tax_code.4, c_tax_code)) AS `tax_code_disagree`,
    nullIf(w_phone.4, '') AS `phone`,
    CAST((w_phone.6, w_phone.7, w_phone.5, w_phone.8, nullIf(w_phone.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_phone.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `phone_from`,
    toUInt32(arrayCount(x -> x.2 != w_phone.4, c_phone)) AS `phone_disagree`,
    nullIf(w_ward_code.4, '') AS `ward_code`,
    CAST((w_ward_code.6, w_ward_code.7, w_ward_code.5, w_ward_code.8, nullIf(w_ward_code.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_ward_code.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `ward_code_from`,
    toUInt32(arrayCount(x -> x.2 != w_ward_code.4, c_ward_code)) AS `ward_code_disagree`,
    nullIf(w_address.4, '') AS `address`,
    CAST((w_address.6, w_address.7, w_address.5, w_address.8, nullIf(w_address.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_address.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `address_from`,
    toUInt32(arrayCount(x -> lowerUTF8(replaceRegexpAll(trimBoth(x.2), '\\s+', ' ')) != lowerUTF8(replaceRegexpAll(trimBoth(w_address.4), '\\s+', ' ')), c_address)) AS `address_disagree`,
    toDate32OrNull(w_registered_on.4) AS `registered_on`,
    CAST((w_registered_on.6, w_registered_on.7, w_registered_on.5, w_registered_on.8, nullIf(w_registered_on.9, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')), w_registered_on.1), 'Tuple(source String, table String, record String, version UInt128, as_of Nullable(DateTime64(6, \'Asia/Ho_Chi_Minh\')), trust UInt8)') AS `registered_on_from`,
    toUInt32(arrayCount(x -> x.2 != w_registered_on.4, c_registered_on)) AS `registered_on_disagree`,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_taxpayer')) AS `as_of`
FROM
(
    SELECT
        organisation_id,
        kind,
        members,
        sources,
        c_name,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_name, arrayEnumerateUniq(c_name.1, c_name.2)) AS w_name,
        c_tax_code,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_tax_code, arrayEnumerateUniq(c_tax_code.1, c_tax_code.2)) AS w_tax_code,
        c_phone,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_phone, arrayEnumerateUniq(c_phone.1, c_phone.2)) AS w_phone,
        c_ward_code,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_ward_code, arrayEnumerateUniq(c_ward_code.1, c_ward_code.2)) AS w_ward_code,
        c_address,
        arrayMax((x, n) -> (x.1, x.3, n, x.2, x.4, x.5, x.6, x.7, x.3), c_address, arrayEnumerateUniq(c_address.1, c_address.2)) AS w_address,
        c_registered_on,
        arrayMax((x, n) -> (x.1, n, x.3, x.2, x.4, x.5, x.6, x.7, x.3), c_registered_on, arrayEnumerateUniq(c_registered_on.1, c_registered_on.2)) AS w_registered_on
    FROM
    (
    SELECT
        organisation_id,
        kind,
        members,
        sources,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.6, x.7, x.5, x.1, x.2, x.3, x.4), m))) AS c_name,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.8, x.9, x.5, x.1, x.2, x.3, x.4), m))) AS c_tax_code,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.10, x.11, x.5, x.1, x.2, x.3, x.4), m))) AS c_phone,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.12, x.13, x.5, x.1, x.2, x.3, x.4), m))) AS c_ward_code,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.14, x.15, x.5, x.1, x.2, x.3, x.4), m))) AS c_address,
        arraySort(x -> (x.1, x.2, x.3, x.4), arrayFilter(x -> x.1 > 0, arrayMap(x -> (x.16, x.17, x.5, x.1, x.2, x.3, x.4), m))) AS c_registered_on
    FROM
    (
    SELECT o.organisation_id AS organisation_id, any(o.kind) AS kind, toUInt32(count()) AS members,
        arraySort(groupUniqArray(r.said.2)) AS sources, groupArray(r.said) AS m
    FROM
    (
    SELECT link, kind, record, (record, toString(v_source), 'taxpayer', v_version, v_as_of,
        toUInt8(if(v_name = '', 0, 65)), v_name,
        toUInt8(if(v_tax_code = '', 0, 100)), v_tax_code,
        toUInt8(if(v_phone = '', 0, 50)), v_phone,
        toUInt8(if(v_ward_code = '', 0, 65)), v_ward_code,
        toUInt8(if(v_address = '', 0, 65)), v_address,
        toUInt8(if(v_registered_on = '', 0, 65)), v_registered_on) AS said
    FROM
    (
        SELECT
        if(hasAny(t._incomplete, ['business_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`business_name`), '')))) AS v_name,
        if(hasAny(t._incomplete, ['tax_code']), '', ifNull(toString(t.`tax_code`), '')) AS v_tax_code,
        if(hasAny(t._incomplete, ['phone']), '', ifNull(toString(t.`phone`), '')) AS v_phone,
        if(hasAny(t._incomplete, ['ward_code']), '', ifNull(toString(t.`ward_code`), '')) AS v_ward_code,
        if(hasAny(t._incomplete, ['address']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`address`), '')))) AS v_address,
        if(hasAny(t._incomplete, ['registered_on']), '', ifNull(toString(t.`registered_on`), '')) AS v_registered_on,
        t._record AS link,
        multiIf(ifNull(toString(t.`kind`), '') IN ('household_business'), 'household_business', ifNull(toString(t.`kind`), '') IN ('company'), 'organisation', '') AS kind,
        coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS v_as_of,
        t._record AS record, t._source AS v_source, t._version AS v_version
        FROM `silver`.`tax_taxpayer` AS t FINAL
        WHERE kind != ''
    )
    ) AS r
    INNER JOIN gold.organisation_record AS o ON o.record = r.link
    GROUP BY o.organisation_id
    )
    )
) AS node
COMMENT 'Mỗi tổ chức, hộ kinh doanh một dòng: giá trị được tin nhất của từng thuộc tính, bản ghi nguồn của nó và số bản ghi nói khác — One row an organisation or household business: the surviving value of each attribute, the record that it came from, and how many records disagree';

CREATE OR REPLACE VIEW gold.`role`
(
    `person_id` String COMMENT 'Mã người thống nhất trên mọi lĩnh vực — The person\'s id over all sectors',
    `role` String COMMENT 'Vai trò: represents là đại diện, member_of là thành viên — Role: represents, or member_of',
    `kind` String COMMENT 'Loại của bên kia: household là hộ, household_business là hộ kinh doanh, organisation là tổ chức — Kind of the other: household, household_business or organisation',
    `node_id` String COMMENT 'Mã của bên kia; organisation_id với tổ chức và hộ kinh doanh — The other\'s id; organisation_id of an organisation or household business',
    `node_record` String COMMENT 'Bản ghi của bên kia — The other\'s record',
    `stated` Nullable(String) COMMENT 'Điều nguồn nói thêm về vai trò, như quan hệ với chủ hộ — What the source says more of the role, such as the relation to the head',
    `record` String COMMENT 'Bản ghi nói về vai trò — The record that states the role',
    `source` String COMMENT 'Nguồn của bản ghi đó — Source of that record',
    `table` String COMMENT 'Bảng của bản ghi đó — Table of that record',
    `version` UInt128 COMMENT 'Phiên bản của bản ghi đó — Version of that record',
    `stated_as_of` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Bản ghi đó đúng vào lúc — That record was right as of',
    `as_of` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
SELECT
    l.person_id AS `person_id`,
    r.role AS `role`,
    if(r.node_kind = '', o.kind, r.node_kind) AS `kind`,
    assumeNotNull(if(r.node_kind = '', o.organisation_id, concat('h', lower(hex(substring(SHA256(r.node_record), 1, 12)))))) AS `node_id`,
    assumeNotNull(r.node_record) AS `node_record`,
    r.stated AS `stated`,
    r.record AS `record`,
    r.source AS `source`,
    r.table AS `table`,
    r.version AS `version`,
    nullIf(r.since, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS `stated_as_of`,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('identity_link', 'tax_taxpayer', 'welfare_household_member')) AS `as_of`
FROM
(
    SELECT t._record AS link, t._record AS node_record, '' AS node_kind, 'represents' AS role, CAST(NULL, 'Nullable(String)') AS stated,
        t._record AS record, toString(t._source) AS source, 'taxpayer' AS table, t._version AS version, coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS since
    FROM `silver`.`tax_taxpayer` AS t FINAL
    WHERE multiIf(ifNull(toString(t.`kind`), '') IN ('household_business'), 'household_business', ifNull(toString(t.`kind`), '') IN ('company'), 'organisation', '') = '' OR if(hasAny(t._incomplete, ['full_name']), '', trimBoth(normalizeUTF8NFC(ifNull(toString(t.`full_name`), '')))) != '' OR if(hasAny(t._incomplete, ['birth_date']), '', ifNull(toString(t.`birth_date`), '')) != '' OR if(hasAny(t._incomplete, ['sex']), '', ifNull(toString(t.`sex`), '')) != '' OR if(hasAny(t._incomplete, ['cccd']), '', ifNull(toString(t.`cccd`), '')) != ''
    UNION ALL
    SELECT t._record AS link, concat(t._source, '.household:', toString(t.`household_id`)) AS node_record, 'household' AS node_kind, 'member_of' AS role, CAST(toString(t.`relation`), 'Nullable(String)') AS stated,
        t._record AS record, toString(t._source) AS source, 'household_member' AS table, t._version AS version, coalesce(toTimeZone(t.`updated_at`, 'Asia/Ho_Chi_Minh'), toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS since
    FROM `silver`.`welfare_household_member` AS t FINAL
) AS r
INNER JOIN (SELECT record, assumeNotNull(person_id) AS person_id, citizen FROM silver.identity_link FINAL WHERE person_id != '') AS l ON l.record = r.link
LEFT ANY JOIN gold.organisation_record AS o ON o.record = r.node_record
WHERE r.node_record IS NOT NULL AND kind != ''
COMMENT 'Vai trò của người với hộ, hộ kinh doanh và tổ chức; không bao giờ là gộp, dù cùng một số — What a person is to a household, a household business or an organisation; never a merge, though they share a number';

