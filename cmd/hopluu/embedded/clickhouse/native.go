package clickhouse

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	chproto "github.com/ClickHouse/ch-go/proto"
)

// recode gives Native blocks of protocol revision 0, as the library writes
// them, in the revision that the client asked for.
func recode(data []byte, revision uint64) ([]byte, error) {
	reader := chproto.NewReader(bytes.NewReader(data))
	out := &chproto.Buffer{Buf: make([]byte, 0, len(data)+64)}
	for {
		block := proto.Block{ServerContext: &column.ServerContext{}}
		err := block.Decode(reader, 0)
		if errors.Is(err, io.EOF) && len(block.Columns) == 0 {
			return out.Buf, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot give the result in the format Native: %w; ask for another FORMAT, or for other types", err)
		}
		if block.Rows() == 0 {
			err = encodeHeader(&block, out, revision)
		} else {
			err = block.Encode(out, revision)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot give the result in the format Native: %w", err)
		}
	}
}

// encodeHeader writes a block without rows: names and types, and nothing
// else, while Block.Encode would write the prefix of some types, which no
// reader expects there.
func encodeHeader(b *proto.Block, out *chproto.Buffer, revision uint64) error {
	if err := b.EncodeHeader(out, revision); err != nil {
		return err
	}
	for _, c := range b.Columns {
		out.PutString(c.Name())
		out.PutString(string(c.Type()))
		if revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
			out.PutBool(false)
		}
	}
	return nil
}
