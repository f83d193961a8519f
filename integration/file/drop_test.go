package file

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/connectors/file/drop/fakes3"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// A first file creates, a repeated one does nothing at all, a corrected one
// changes what it changes.
func TestFirstRepeatedCorrected(t *testing.T) {
	r := newRig(t)
	first := "Mã số hộ;Diện;Mức trợ cấp;Ngày công nhận\nH-01;poor;450.000;31/01/2025\nH-02;near_poor;;\n"
	r.drop("household_1.csv", first)
	stop := r.start()
	r.done("household", "taken", 1)
	all := r.messages(r.public("household"))
	require.Equal(t, map[string]string{"H-01": "c", "H-02": "c"}, history(all, "code"))
	one := last(t, all, "code", "H-01")
	require.Equal(t, map[string]string{"code": "H-01", "category": "poor", "amount": "450000", "decided_on": "20119"}, one.Row)
	// The position is the file's number and the line; the time is the file's.
	require.Equal(t, event.Position{Epoch: 1, LSN: 1, Ordinal: 2}, one.Event.Position)
	require.Equal(t, r.clock.UnixMicro(), one.Event.CommitMicros)
	require.Equal(t, r.config.Source, one.Event.Source)
	// Kafka's retention counts from now on, not from the day of an old file.
	require.WithinDuration(t, time.Now(), time.UnixMilli(one.TimestampMs), time.Hour)

	r.drop("household_copy.csv", first)
	r.done("household", "repeated", 1)
	require.Len(t, r.messages(r.public("household")), 2)

	// Another order, another writing of the same values, one change, one row
	// more; what it does not have stays.
	r.drop("household_2.csv", "code,amount,category,decided_on\nH-03,1,escaped,2025-02-01\nH-01,450000,near_poor,2025-01-31\n")
	r.done("household", "taken", 2)
	all = r.messages(r.public("household"))
	require.Equal(t, map[string]string{"H-01": "cu", "H-02": "c", "H-03": "c"}, history(all, "code"))
	require.Equal(t, "near_poor", last(t, all, "code", "H-01").Row["category"])
	require.NoError(t, stop())

	// Nothing happens again when the connector starts again.
	r.drop("household_3.csv", "code,amount,category,decided_on\nH-01,450000,near_poor,2025-01-31\nH-02,,near_poor,\n")
	stop = r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	require.Len(t, r.messages(r.public("household")), 4)
	require.Zero(t, r.metric("hopluu_connector_files_total", "outcome", "repeated"), "known by their names and times, files are not read again")
}

// P11: the public topic and the state have tokens, the vault the plaintext
// under the same key; a delete, too.
func TestIdentifiersAreTokens(t *testing.T) {
	r := newRig(t).full("member")
	r.drop("member_1.csv", "Số định danh,Họ và tên,Điện thoại,Ghi chú\n079201001234,Nguyễn Thị Bưởi,0903000111,bệnh án\n079301005678,Trần Văn Đạt,,\n")
	stop := r.start()
	r.done("member", "taken", 1)
	r.drop("member_2.csv", "Số định danh,Họ và tên,Điện thoại,Ghi chú\n079301005678,Trần Văn Đạt,,\n")
	r.done("member", "taken", 2)
	require.NoError(t, stop())
	public, vault := r.messages(r.public("member")), r.messages(r.vault("member"))
	require.Len(t, public, 4, "two reads, a delete, a tombstone")
	require.Len(t, vault, 4)
	for i, m := range public {
		require.Equal(t, string(m.Key), string(vault[i].Key))
		require.Equal(t, m.Partition.ID, vault[i].Partition.ID)
		require.NotContains(t, string(m.Key)+string(m.Value), "0792010")
		require.NotContains(t, string(m.Value), "0903000111")
		require.NotContains(t, string(vault[i].Value), "bệnh án", "the vault has only what matching needs")
	}
	number := last(t, public, "full_name", "Nguyễn Thị Bưởi").Row["cccd"]
	require.True(t, strings.HasPrefix(number, "k1_"), number)
	require.Equal(t, map[string]string{number: "rd-", last(t, public, "full_name", "Trần Văn Đạt").Row["cccd"]: "r"}, history(public, "cccd"))
	require.Equal(t, history(public, "cccd"), history(vault, "cccd"))
	one := last(t, vault, "full_name", "Nguyễn Thị Bưởi").Row
	require.Equal(t, map[string]string{"cccd": number, "cccd_plain": "079201001234", "full_name": "Nguyễn Thị Bưởi", "phone": "0903000111"}, one)
	require.Equal(t, map[string]string{"cccd": number}, last(t, public, "cccd", number).Row, "of a row that is gone only the key is kept")
	state := 0
	for _, m := range r.state() {
		state++
		require.NotContains(t, m, "0792010")
		require.NotContains(t, m, "0793010")
		require.NotContains(t, m, "0903000111")
		require.NotContains(t, m, "Bưởi")
	}
	require.Positive(t, state)
	require.NotContains(t, r.logged.String(), "0792010")
}

// A full list: rows that were deleted meanwhile are gone, however many lists in
// between were never seen, and no row goes by mistake.
func TestCase35FullList(t *testing.T) {
	r := newRig(t).full("household")
	const heading = "code,category,amount\n"
	r.drop("household_1.csv", heading+"A,poor,1\nB,poor,2\nC,poor,3\nD,poor,4\n")
	stop := r.start()
	r.done("household", "taken", 1)
	all := r.messages(r.public("household"))
	require.Equal(t, map[string]string{"A": "r", "B": "r", "C": "r", "D": "r"}, history(all, "code"))
	require.True(t, all[0].Event.Snapshot)

	// B is refused but there: it stays. C is gone. E is new.
	r.drop("household_2.csv", heading+"A,poor,1\nB,poor,many\nD,poor,5\nE,poor,6\n")
	r.done("household", "taken", 2)
	all = r.messages(r.public("household"))
	require.Equal(t, map[string]string{"A": "r", "B": "r", "C": "rd-", "D": "ru", "E": "r"}, history(all, "code"))
	gone := last(t, all, "code", "C").Event
	require.Equal(t, event.Position{Epoch: 1, LSN: 2, Ordinal: 6}, gone.Position, "behind the last line")

	// A row whose key cannot be read may be any of those that are missing.
	r.drop("household_3.csv", heading+"A,poor,1\n,poor,2\n")
	r.done("household", "taken", 3)
	require.Equal(t, map[string]string{"A": "r", "B": "r", "C": "rd-", "D": "ru", "E": "r"}, history(r.messages(r.public("household")), "code"))
	require.Contains(t, r.logged.String(), "no row of this full list was removed")

	// A list of nothing is a mistake.
	r.drop("household_4.csv", heading)
	r.done("household", "refused", 1)
	require.Contains(t, r.report("household_4.csv"), "would remove all 4 rows")

	// What was removed may come back, and its last state is what counts.
	r.drop("household_5.csv", heading+"C,near_poor,3\n")
	r.done("household", "taken", 4)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "rd-", "B": "rd-", "C": "rd-r", "D": "rud-", "E": "rd-"}, history(r.messages(r.public("household")), "code"))
}

// A refused row is never taken for one that came in: report, metric, log; the
// others go on. Corrected, it comes in.
func TestCase20RefusedRows(t *testing.T) {
	r := newRig(t)
	r.drop("household_1.csv", "DANH SÁCH\nMã số hộ,Diện,Mức trợ cấp,Ngày công nhận\nA,poor,1,2025-01-31\nB,poor,một,31/02/2025\n,poor,2,\nC,poor,3,,dư\nA,poor,9,\nD,\"poor,4,\nE,poor,5,\n")
	stop := r.start()
	r.done("household", "taken", 1)
	require.Equal(t, map[string]string{"A": "c", "E": "c"}, history(r.messages(r.public("household")), "code"))
	require.Equal(t, "1", last(t, r.messages(r.public("household")), "code", "A").Row["amount"], "the first of two rows with one key stands")
	report := r.report("household_1.csv")
	require.True(t, strings.HasPrefix(report, "\ufeff"), "Excel takes it for UTF-8")
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(report, "\ufeff")))
	in.FieldsPerRecord = -1
	rows, err := in.ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"line", "column", "reason", "ly_do", "Mã số hộ", "Diện", "Mức trợ cấp", "Ngày công nhận"}, rows[0])
	require.Len(t, rows, 6)
	require.Equal(t, []string{"4", "amount, decided_on"}, rows[1][:2])
	require.Contains(t, rows[1][2], "amount: not a number; decided_on: no such day")
	require.Contains(t, rows[1][3], "amount: không phải số")
	require.Equal(t, []string{"B", "poor", "một", "31/02/2025"}, rows[1][4:])
	require.Equal(t, []string{"5", "code", "code: the key is empty: this column must have a value"}, rows[2][:3])
	require.Equal(t, "6", rows[3][0])
	require.Contains(t, rows[3][2], "too many cells")
	require.Equal(t, []string{"C", "poor", "3", "", "dư"}, rows[3][4:])
	require.Equal(t, []string{"7", "", "the key is on line 3 already"}, rows[4][:3])
	require.Equal(t, []string{"8", "", "a quotation mark is opened and never closed"}, rows[5][:3])
	require.EqualValues(t, 5, r.metric("hopluu_connector_refused_rows_total", "table", "public.household"))
	require.Contains(t, r.logged.String(), "level=ERROR msg=\"rows refused: correct them and drop the file again\"")
	require.NotContains(t, r.logged.String(), "một", "a cell's text is not logged")

	// Corrected under its own name: the rest comes in, and the report says
	// that nothing is refused any more.
	r.drop("household_1.csv", "Mã số hộ,Diện,Mức trợ cấp,Ngày công nhận\nA,poor,1,2025-01-31\nB,poor,2,2025-02-28\nC,poor,3,\nD,poor,4,\nE,poor,5,\n")
	r.done("household", "taken", 2)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "c", "B": "c", "C": "c", "D": "c", "E": "c"}, history(r.messages(r.public("household")), "code"))
	require.Equal(t, 1, strings.Count(r.report("household_1.csv"), "\n"))
}

// P11: what an owner begins to keep back is written over when the list is
// dropped again, though nothing in its rows changed.
func TestPrivacyThatBegins(t *testing.T) {
	r := newRig(t)
	const list = "code,category\nA,poor\nB,near_poor\n"
	r.drop("household_1.csv", list)
	stop := r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	text := strings.Replace(labour, "{name: category, type: household_category,", "{name: category, type: household_category, privacy: mask,", 1)
	require.NotEqual(t, labour, text)
	sector, err := sectors.Parse("labour.yaml", []byte(text))
	require.NoError(t, err)
	r.config.Sector = *sector
	r.drop("household_2.csv", list+"C,poor\n")
	stop = r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	all := r.messages(r.public("household"))
	require.Equal(t, map[string]string{"A": "cu", "B": "cu", "C": "c"}, history(all, "code"))
	require.NotContains(t, last(t, all, "code", "A").Row["category"], "poor")
}

// A full list that is found late does not bring back what a newer one
// replaced, unless somebody saves it again; a file that adds and corrects is
// taken in, and said to be older.
func TestLateFiles(t *testing.T) {
	r := newRig(t).full("household")
	const heading = "code,category,amount\n"
	r.drop("household_2.csv", heading+"A,poor,2\n")
	r.drop("member_2.csv", "cccd,full_name\n1,second\n")
	stop := r.start()
	r.done("household", "taken", 1)
	r.done("member", "taken", 1)
	r.dropAt("household_1.csv", []byte(heading+"A,poor,1\nB,poor,1\n"), r.clock.Add(-time.Hour))
	r.dropAt("member_1.csv", []byte("cccd,full_name\n1,first\n"), r.clock.Add(-time.Hour))
	r.done("household", "refused", 1)
	r.done("member", "taken", 2)
	require.Contains(t, r.report("household_1.csv"), "a full list that is older than household_2.csv")
	require.Equal(t, map[string]string{"A": "r"}, history(r.messages(r.public("household")), "code"))
	require.Contains(t, r.logged.String(), "the file is older than one that was taken in before")

	// The same content, saved again: it is meant.
	r.drop("household_1.csv", heading+"A,poor,1\nB,poor,1\n")
	r.done("household", "taken", 2)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "ru", "B": "r"}, history(r.messages(r.public("household")), "code"))
	require.Equal(t, 1, strings.Count(r.report("household_1.csv"), "\n"), "its report no longer holds")
}

// A file that was refused because of the sector file or the configuration is
// tried again when that is mended, without anybody dropping it again.
func TestRefusedUntilTheKeyIsMended(t *testing.T) {
	r := newRig(t)
	r.config.Tables[0].Key = []string{"code", "category"}
	r.drop("household_1.csv", "code,amount\nA,1\n")
	stop := r.start()
	r.done("household", "refused", 1)
	require.NoError(t, stop())
	require.Contains(t, r.report("household_1.csv"), "category is missing")
	stop = r.start()
	r.drop("household_2.csv", "code\nA\n")
	r.done("household", "refused", 1)
	require.NoError(t, stop())
	require.EqualValues(t, 1, r.metric("hopluu_connector_files_total", "outcome", "refused"), "what is as it was is not tried again")

	// No row is known yet by that key, so it may change.
	r.config.Tables[0].Key = nil
	stop = r.start()
	r.done("household", "taken", 1)
	r.done("household", "refused", 1)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "c"}, history(r.messages(r.public("household")), "code"))
	require.Equal(t, 1, strings.Count(r.report("household_1.csv"), "\n"), "its report no longer holds")
	require.Contains(t, r.report("household_2.csv"), "column amount, which earlier files had")
}

// A file that cannot be used as a whole is refused once, with the reason, and
// tried again when it changes; the others go on.
func TestRefusedFiles(t *testing.T) {
	r := newRig(t)
	r.drop("household_broken.xlsx", "PK\x03\x04 broken")
	r.drop("household_nokey.csv", "Diện,Mức trợ cấp\npoor,1\n")
	r.drop("household_odd.csv", "code,category\nA,\xd4\xb5\xb8\xd5\xb9\n")
	r.drop("household_good.csv", "code,category,amount\nA,poor,1\n")
	stop := r.start()
	r.done("household", "refused", 3)
	r.done("household", "taken", 1)
	require.Contains(t, r.report("household_broken.xlsx"), "damaged")
	require.Contains(t, r.report("household_nokey.csv"), "has a heading for the key (code is missing)")
	require.Contains(t, r.report("household_odd.csv"), "the encoding is not known")
	require.NoError(t, stop())

	// A column that earlier files had cannot go unnoticed.
	r.drop("household_fewer.csv", "code,category\nA,poor\n")
	r.drop("household_nokey.csv", "code,category,amount\nB,poor,1\n")
	stop = r.start()
	r.done("household", "taken", 1)
	r.done("household", "refused", 1)
	require.NoError(t, stop())
	require.Contains(t, r.report("household_fewer.csv"), "column amount, which earlier files had, is missing")
	require.EqualValues(t, 1, r.metric("hopluu_connector_files_total", "outcome", "refused"), "what did not change is not tried again")
	require.Equal(t, map[string]string{"A": "c", "B": "c"}, history(r.messages(r.public("household")), "code"))
}

// A workbook gives the values that CSV gives: a row that comes in one form and
// then in the other has not changed.
func TestWorkbookAndCSVAreOne(t *testing.T) {
	r := newRig(t)
	f := excelize.NewFile()
	date := "dd/mm/yyyy"
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &date})
	require.NoError(t, err)
	for cell, value := range map[string]any{
		"A1": "Danh sách hộ nghèo", "A3": "Mã số hộ", "B3": "Diện", "C3": "Mức trợ cấp (đồng)", "D3": "Ngày công nhận",
		"A4": "001", "B4": "poor", "C4": 450000, "D4": time.Date(2025, 1, 31, 0, 0, 0, 0, time.UTC), "A5": "002", "B5": "near_poor",
	} {
		require.NoError(t, f.SetCellValue("Sheet1", cell, value))
	}
	require.NoError(t, f.SetCellStyle("Sheet1", "D4", "D4", style))
	var book bytes.Buffer
	require.NoError(t, f.Write(&book))
	require.NoError(t, f.Close())
	r.drop("household_1.xlsx", book.String())
	stop := r.start()
	r.done("household", "taken", 1)
	all := r.messages(r.public("household"))
	require.Equal(t, map[string]string{"code": "001", "category": "poor", "amount": "450000", "decided_on": "20119"}, last(t, all, "code", "001").Row)
	require.EqualValues(t, 4, last(t, all, "code", "001").Event.Position.Ordinal, "the row of the worksheet")
	r.drop("household_2.csv", "code,category,amount,decided_on\n001,poor,450.000,31/01/2025\n002,near_poor,,\n")
	r.done("household", "taken", 2)
	require.NoError(t, stop())
	require.Len(t, r.messages(r.public("household")), 2)
}

// Drops in an S3-compatible store are taken in as they are from a folder, and
// the reports go there.
func TestBucket(t *testing.T) {
	store := fakes3.New("key")
	web := httptest.NewServer(store)
	t.Cleanup(web.Close)
	r := newRig(t)
	r.config.Location = strings.Replace(web.URL, "http://", "s3+http://", 1) + "/drops/labour"
	r.config.Credentials = drop.Credentials{AccessKey: "key", SecretKey: "secret"}
	at := time.Date(2025, 1, 31, 8, 0, 0, 0, time.UTC)
	store.Put("drops/labour/household_1.csv", []byte("code,category\nA,poor\n,poor\n"), at)
	store.Put("drops/other/household_1.csv", []byte("code,category\nZ,poor\n"), at)
	stop := r.start()
	r.done("household", "taken", 1)
	store.Put("drops/labour/household_1.csv", []byte("code,category\nA,near_poor\nB,poor\n"), at.Add(time.Hour))
	r.done("household", "taken", 2)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "cu", "B": "c"}, history(r.messages(r.public("household")), "code"))
	report, ok := store.Get("drops/labour/household_1.csv.refused.csv")
	require.True(t, ok)
	require.Equal(t, 1, strings.Count(string(report), "\n"), "the corrected file has nothing refused")
}

// A table whose key was changed is set aside, said loudly, and its files wait;
// the others go on.
func TestKeyThatChanges(t *testing.T) {
	r := newRig(t)
	r.drop("household_1.csv", "code,category,amount\nA,poor,1\n")
	stop := r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	r.config.Tables[0].Key = []string{"code", "category"}
	r.drop("household_2.csv", "code,category,amount\nA,poor,2\n")
	r.drop("member_1.csv", "cccd\n079201001234\n")
	stop = r.start()
	r.done("member", "taken", 1)
	require.EqualValues(t, 1, r.metric("hopluu_connector_quarantined", "table", "public.household"))
	harness.Eventually(t, within, func(context.Context) error { // it is counted down after the file's own metric
		if waiting := r.metric("hopluu_connector_files_waiting"); waiting != 1 {
			return fmt.Errorf("%v files are waiting", waiting)
		}
		return nil
	})
	require.NoError(t, stop())
	require.Contains(t, r.logged.String(), "its key is code, category now, its rows were taken in by code")
	r.config.Tables[0].Key = nil
	stop = r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "cu"}, history(r.messages(r.public("household")), "code"))
}

// The sector file gains a column while files come: rows that have a value in it
// change, the others do not. A column that becomes of another type is what the
// registry refuses: that table's files wait, said loudly, the others go on, and
// nothing is lost once it is mended.
func TestCase22ColumnsChange(t *testing.T) {
	r := newRig(t)
	r.drop("household_1.csv", "code,category,amount\nA,poor,1\nB,poor,2\n")
	stop := r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())

	before := r.config.Sector
	change := func(from, to string) {
		t.Helper()
		text := strings.Replace(labour, from, to, 1)
		require.NotEqual(t, labour, text)
		sector, err := sectors.Parse("labour.yaml", []byte(text))
		require.NoError(t, err)
		r.config.Sector = *sector
	}
	const decided = "      - {name: decided_on"
	change(decided, "      - {name: head, type: text, meaning: {vi: Chủ hộ, en: Head}, sensitivity: internal}\n"+decided)
	r.drop("household_2.csv", "code,category,amount,Chủ hộ\nA,poor,1,Bưởi\nB,poor,2,\n")
	stop = r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	all := r.messages(r.public("household"))
	require.Equal(t, map[string]string{"A": "cu", "B": "c"}, history(all, "code"))
	require.Equal(t, "Bưởi", last(t, all, "code", "A").Row["head"])

	wide := r.config.Sector
	change(`{name: amount, type: "numeric(12,0)"`, `{name: amount, type: date`)
	r.drop("household_3.csv", "code,category,amount,head\nA,poor,3,Bưởi\n")
	r.drop("member_1.csv", "cccd\n079201001234\n")
	stop = r.start()
	r.done("member", "taken", 1)
	require.EqualValues(t, 1, r.metric("hopluu_connector_quarantined", "table", "public.household"))
	r.settled(file.StateTopic(r.config.Source))
	status, err := file.ReadStatus(t.Context(), r.client, r.config.Source, []string{"public.household", "public.member"}, time.Now())
	require.NoError(t, err)
	require.Equal(t, []string{"public.household"}, status.Quarantined)
	require.Contains(t, status.Reasons["public.household"], "not compatible")
	require.True(t, status.Attention())
	require.NoError(t, stop())

	r.config.Sector = wide
	stop = r.start()
	r.done("household", "taken", 1)
	r.settled(file.StateTopic(r.config.Source))
	status, err = file.ReadStatus(t.Context(), r.client, r.config.Source, []string{"public.household", "public.member"}, time.Now())
	require.NoError(t, err)
	require.Empty(t, status.Quarantined)
	require.Equal(t, file.StateWaiting, status.State)
	require.NoError(t, stop())
	require.Equal(t, map[string]string{"A": "cuu", "B": "c"}, history(r.messages(r.public("household")), "code"))

	// A column that the sector file has no more is left out.
	r.config.Sector = before
	r.drop("household_4.csv", "code,category,amount,head\nB,poor,4,Đạt\n")
	stop = r.start()
	r.done("household", "taken", 1)
	require.NoError(t, stop())
	all = r.messages(r.public("household"))
	require.Equal(t, map[string]string{"A": "cuu", "B": "cu"}, history(all, "code"))
	require.NotContains(t, last(t, all, "code", "B").Row, "head")
	require.Contains(t, r.logged.String(), "headings that the sector file does not describe")
}

// Excel takes the leading zero of an identity number away. Where the cell's
// format still shows it, it is restored; where digits are lost, the row is
// refused; what cannot be told from another number is carried as it stands.
func TestCase28LeadingZerosLostInExcel(t *testing.T) {
	r := newRig(t)
	f := excelize.NewFile()
	for cell, value := range map[string]any{
		"A1": "Số định danh", "B1": "Họ và tên",
		"A2": "079201001234", "B2": "as text", "A3": 79301005678, "B3": "as zeros", "A4": 79099000111, "B4": "as a number", "A5": "7.9E+10", "B5": "shortened",
	} {
		require.NoError(t, f.SetCellValue("Sheet1", cell, value))
	}
	zeros := "000000000000"
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &zeros})
	require.NoError(t, err)
	require.NoError(t, f.SetCellStyle("Sheet1", "A3", "A3", style))
	var book bytes.Buffer
	require.NoError(t, f.Write(&book))
	require.NoError(t, f.Close())
	r.drop("member_1.xlsx", book.String())
	stop := r.start()
	r.done("member", "taken", 1)
	vault := r.messages(r.vault("member"))
	numbers := map[string]string{}
	for _, m := range vault {
		numbers[m.Row["full_name"]] = m.Row["cccd_plain"]
	}
	require.Equal(t, map[string]string{"as text": "079201001234", "as zeros": "079301005678", "as a number": "79099000111"}, numbers)
	require.Contains(t, r.report("member_1.xlsx"), "5,cccd,cccd: Excel has shortened the number")

	// As CSV with all zeros they are the same rows.
	r.drop("member_2.csv", "cccd,full_name\n079201001234,as text\n079301005678,as zeros\n")
	r.done("member", "taken", 2)
	require.NoError(t, stop())
	require.Len(t, r.messages(r.vault("member")), len(vault))
}
