// Stand-ins of the proof in entries_test.go, which says why.

package exact

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
)

// dispatchTask is one process with a dispatcher, which never ends by itself.
type dispatchTask struct {
	URL    string
	Holder string
}

func (d *dispatchTask) run(ctx context.Context) error {
	s, err := store.Open(ctx, d.URL, 12)
	if err != nil {
		return err
	}
	defer s.Close()
	dispatcher := &starter.Dispatcher{
		Store: s, Sources: doorbell{}, Temporal: ledger{s}, Holder: d.Holder,
		Metrics: starter.NewInboxMetrics(nil), Log: slog.New(slog.DiscardHandler),
	}
	dispatcher.Run(ctx)
	return nil
}

// doorbell is the one connection: its webhooks are event.Batch in JSON.
type doorbell struct{}

func (doorbell) Source(string) (integrations.Source, error) { return doorbell{}, nil }
func (doorbell) OfAccount(connection string) []string       { return []string{connection} }

func (doorbell) Receive(integrations.Request) (integrations.Receipt, error) {
	return integrations.Receipt{}, errors.New("webhooks are stored by the proof itself")
}

func (doorbell) Normalise(d integrations.Delivery) (batch event.Batch, err error) {
	return batch, json.Unmarshal(d.Body, &batch)
}

// ledger stands for Temporal: it writes down what it is told, in order, where no
// dispatcher's death can reach it.
type ledger struct{ *store.Store }

const ledgerTables = `CREATE TABLE told (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id bigint NOT NULL, lane text NOT NULL,
		journey_id text NOT NULL, kind text NOT NULL, delivery bigint);
	CREATE TABLE asked (LIKE outbox);
	CREATE FUNCTION copy_outbox() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO asked SELECT new.*; RETURN NULL; END $$;
	CREATE TRIGGER copy_outbox AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION copy_outbox()`

func (l ledger) tell(ctx context.Context, row store.OutboxRow) error {
	_, err := l.Pool.Exec(ctx, `INSERT INTO told (row_id, lane, journey_id, kind, delivery) VALUES ($1, $2, $3, $4, ($5::jsonb ->> 'delivery')::bigint)`,
		row.ID, row.Lane, row.JourneyID, row.Kind, row.Payload)
	return err
}

func (l ledger) Start(ctx context.Context, row store.OutboxRow) error  { return l.tell(ctx, row) }
func (l ledger) Signal(ctx context.Context, row store.OutboxRow) error { return l.tell(ctx, row) }
func (l ledger) Cancel(ctx context.Context, row store.OutboxRow) error { return l.tell(ctx, row) }
