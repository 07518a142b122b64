package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// DispatchCampaign is a campaign as the dispatcher looks at it.
type DispatchCampaign struct {
	ID       int64
	Name     string
	State    string  // running, paused, draining or stopped
	Version  int     // the one that new journeys enter with; 0 before the first
	Versions []int32 // those that journeys may be inside
}

// DispatchCampaigns lists all campaigns.
func (s *Store) DispatchCampaigns(ctx context.Context, q Querier) ([]DispatchCampaign, error) {
	rows, err := q.Query(ctx, `SELECT id, name, state, version_no,
		ARRAY(SELECT no FROM campaign_version WHERE campaign_id = c.id ORDER BY no) FROM campaign c ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing campaigns: %w", err)
	}
	campaigns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DispatchCampaign])
	if err != nil {
		return nil, fmt.Errorf("listing campaigns: %w", err)
	}
	return campaigns, nil
}

// DeliveryBody gives the body that an event was normalised from; nil after the
// time bodies are kept.
func (s *Store) DeliveryBody(ctx context.Context, q Querier, e *StoredEvent) ([]byte, error) {
	var body []byte
	err := q.QueryRow(ctx, `SELECT (SELECT body FROM delivery WHERE id = $1 AND received_at = $2)`, e.DeliveryID, e.ReceivedAt).Scan(&body)
	if err != nil {
		return nil, fmt.Errorf("loading a body: %w", err)
	}
	return body, nil
}
