package store

import (
	"context"
)

// missing finds campaigns that the folder doesn't hold any more.
func (s *Store) missing(ctx context.Context, tx *Tx, f Folder, prune bool) ([]Change, error) {
	names := make([]string, len(f.Campaigns))
	for i, doc := range f.Campaigns {
		names[i] = doc.Name
	}
	found, err := list[CampaignSummary](ctx, tx, "campaigns", campaignSummary+`WHERE c.name <> ALL ($1) ORDER BY c.name`, names)
	if err != nil {
		return nil, err
	}
	changes := make([]Change, len(found))
	for i, c := range found {
		changes[i] = Change{Kind: "campaign", Name: c.Name, Action: ApplyMissing, From: c.Version, To: c.Version, State: c.State}
		if changes[i].Journeys, err = s.VersionCounts(ctx, tx, c.Name); err != nil {
			return nil, err
		}
		if !prune || c.State == CampaignDraining || c.State == CampaignStopped {
			continue
		}
		changes[i].Action = ApplyDrain
		if _, err := tx.Exec(ctx, `UPDATE campaign SET state = 'draining', updated_at = now() WHERE name = $1`, c.Name); err != nil {
			return nil, err
		}
	}
	return changes, nil
}
