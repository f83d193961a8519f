package erase

import (
	"context"

	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
)

// forgetLogs has the matcher's logs name the person no more. It waits for the
// matcher to have forgotten the records: from then on none names them anew.
func (e *Eraser) forgetLogs(ctx context.Context, ledger *erasure.Ledger, id string) error {
	done := ledger.Done(id)
	if _, did := done[erasure.StepLogs]; did {
		return nil
	}
	if _, forgot := done[erasure.StepMatcher]; !forgot {
		return nil // what it says is looked at again
	}
	replaced, err := matcher.ForgetInLogs(ctx, e.Kafka, e.Registry, ledger, e.Log)
	if err != nil {
		return err
	}
	m, err := stepMessage(ledger, id, erasure.StepLogs, replaced)
	if err != nil {
		return err
	}
	return feed.Write(ctx, e.Kafka, ledgerID, now(), m)
}
