package pgoutput

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// Case 19: whatever a frame holds, in a segment or out of one, the decoder
// gives a message or a *FrameError, and cells that lie within the frame.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"postgres15_v1.hex", "postgres15_v3.hex"} {
		seen := map[byte]int{}
		for _, frame := range captured(f, name) {
			if seen[frame[0]]++; seen[frame[0]] <= 2 && len(frame) < 300 {
				f.Add(frame, false)
				f.Add(frame, true)
			}
		}
	}
	f.Add(build('A', uint32(1), uint32(1), uint64(1), uint64(1)), false)
	f.Add(build('r', byte(0), uint64(1), uint64(2), micros2000, micros2000, uint32(7), "gid"), false)
	f.Fuzz(func(t *testing.T, frame []byte, streaming bool) {
		d := Decoder{streaming: streaming}
		m, err := d.Decode(frame)
		if err != nil {
			var frameErr *FrameError
			if !errors.As(err, &frameErr) || m != nil {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		if m.kind() != frame[0] {
			t.Fatalf("%T from %q", m, frame[0])
		}
		for _, row := range rowsOf(m) {
			total := 0
			for _, v := range row {
				total += len(v.Text)
			}
			if total > 2*len(frame) { // twice: an update may take cells from its old image
				t.Fatalf("%d bytes of cells from a frame of %d", total, len(frame))
			}
		}
	})
}

// Case 19: of a message of a segment, Unwrap gives its subtransaction and the
// message that a whole transaction would have, or a *FrameError.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte{'I', 0, 0, 0, 7, 0, 0, 0, 1, 'N', 0, 0})
	f.Add([]byte{'S', 0, 0, 0, 7, 1})
	f.Add([]byte{'R', 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		segment := Decoder{streaming: true}
		want, wantErr := segment.Decode(bytes.Clone(frame))
		in := bytes.Clone(frame)
		xid, plain, err := Unwrap(in)
		if err != nil {
			var frameErr *FrameError
			if !errors.As(err, &frameErr) {
				t.Fatal(err)
			}
			return
		}
		if len(plain) != len(frame)-4 || xid != binary.BigEndian.Uint32(frame[1:]) {
			t.Fatalf("%d, %q from %q", xid, plain, frame)
		}
		var whole Decoder
		have, err := whole.Decode(plain)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v in a segment, %v out of one", wantErr, err)
		}
		if err == nil && want.kind() != have.kind() {
			t.Fatalf("%T in a segment, %T out of one", want, have)
		}
	})
}
