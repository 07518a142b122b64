package world

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Desk is the person who works through the list of messages whose outcome nobody
// knows: they look at the vendor whether it has the message, and say so.
type Desk struct {
	world   *World
	settled atomic.Int64
}

// patience is how long the desk leaves a message to settle by itself: longer than
// the connections' evidence windows.
const deskPatience = 5 * time.Second

// OpenDesk starts the desk; it closes with ctx.
func (w *World) OpenDesk(ctx context.Context) *Desk {
	d := &Desk{world: w}
	go func() {
		for ctx.Err() == nil {
			d.work(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
	return d
}

// Settled is how many messages needed the desk.
func (d *Desk) Settled() int { return int(d.settled.Load()) }

func (d *Desk) work(ctx context.Context) {
	rows, err := d.world.Store.Pool.Query(ctx, `SELECT id FROM message WHERE state IN ('unknown', 'parked') AND updated_at < now() - $1::interval`, deskPatience)
	if err != nil {
		return // the database is away: look again later
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return
	}
	taken := d.world.Taken()
	for _, id := range ids {
		verdict := "resend"
		if taken[id] > 0 {
			verdict = "accepted"
		}
		if d.resolve(ctx, id, verdict) {
			d.settled.Add(1)
		}
	}
}

func (d *Desk) resolve(ctx context.Context, id, verdict string) bool {
	body, _ := json.Marshal(map[string]string{"verdict": verdict})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.world.Base+"/v1/unknown/"+id+"/resolve", bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+d.world.Key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
