package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"scrip.dev/scrip/campaign"
)

// Folder is what a project folder holds, checked.
type Folder struct {
	Campaigns []*campaign.Campaign
	Coupons   []*campaign.Coupon
	Segments  []*campaign.Segment
	Templates map[string]map[string]string // template -> file -> text, layouts included
}

// What Apply does with a document.
const (
	ApplyCreate    = "create"
	ApplyUpdate    = "update"
	ApplyUnchanged = "unchanged"
	ApplyMissing   = "missing" // stands in the database, not in the folder; left as it is
	ApplyDrain     = "drain"   // missing, and nobody enters any more
)

// Change is what applying a folder does to one document.
type Change struct {
	Kind     string         `json:"kind" enum:"campaign,coupon,segment,template"`
	Name     string         `json:"name"`
	Action   string         `json:"action" enum:"create,update,unchanged,missing,drain"`
	From     int            `json:"from_version,omitempty" doc:"campaigns and templates: the version before; 0: none"`
	To       int            `json:"to_version,omitempty" doc:"the version that is used from now on"`
	State    string         `json:"state,omitempty" doc:"campaigns: running, paused, draining or stopped"`
	Journeys []VersionCount `json:"journeys,omitempty" doc:"campaigns: how many journeys are inside which version; they keep it"`
	Diff     []string       `json:"diff,omitempty" doc:"update: lines that go, after '- ', and that come, after '+ '; of templates, each file's under its name"`
}

// ApplyOptions say how a folder is applied.
type ApplyOptions struct {
	DryRun bool   // work out the changes and make none
	Prune  bool   // campaigns that are missing from the folder take nobody in any more
	Actor  string // for the audit trail
}

// Apply makes the database hold what the folder holds, in one transaction, and
// tells what that changes. A document that stands there already makes no new
// version. Journeys that wait for a template to be mended go on.
func (s *Store) Apply(ctx context.Context, f Folder, o ApplyOptions) (changes []Change, err error) {
	for range applyTries {
		// Whoever uses codes of several of the coupons takes them in another order.
		if changes, err = s.applyOnce(ctx, f, o); err == nil {
			return changes, nil
		}
		if !IsConflict(err) && !tooLong(err) {
			return nil, fmt.Errorf("applying the project: %w", err)
		}
	}
	return nil, fmt.Errorf("applying the project: %w", ErrBusy)
}

// ErrBusy says that others didn't let go of what had to be changed.
var ErrBusy = errors.New("others are using what has to be changed, and didn't let go of it")

// applyTries is how often an apply begins anew where it stands in somebody's way.
const applyTries = 5

// tooLong says that a lock was waited for in vain.
func tooLong(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03" // lock_not_available
}

func (s *Store) applyOnce(ctx context.Context, f Folder, o ApplyOptions) (changes []Change, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		// One apply at a time; the number is only a name for that.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('scrip.apply'))`); err != nil {
			return err
		}
		// Uses of a coupon stand behind an apply that waits for one of them.
		tx.Later("bounding how long to wait", `SET LOCAL lock_timeout = '3s'`)
		for _, apply := range []func(context.Context, *Tx, Folder) ([]Change, error){s.applyCoupons, s.applySegments, s.applyTemplates, s.applyCampaigns} {
			some, err := apply(ctx, tx, f)
			if err != nil {
				return err
			}
			changes = append(changes, some...)
		}
		missing, err := s.missing(ctx, tx, f, o.Prune)
		if err != nil {
			return err
		}
		changes = append(changes, missing...)
		if o.DryRun {
			return errDryRun
		}
		return Audit(ctx, tx, o.Actor, "project.apply", "project", map[string]any{"changes": changedNames(changes)})
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return changes, err
}

// errDryRun rolls the transaction back once the changes are known.
var errDryRun = errors.New("dry run")

func changedNames(changes []Change) []string {
	names := []string{}
	for _, c := range changes {
		if c.Action != ApplyUnchanged && c.Action != ApplyMissing {
			names = append(names, c.Kind+" "+c.Name)
		}
	}
	return names
}

func (s *Store) applyCoupons(ctx context.Context, tx *Tx, f Folder) ([]Change, error) {
	var changes []Change
	for _, doc := range f.Coupons {
		var before string
		err := tx.QueryRow(ctx, `SELECT source FROM coupon WHERE name = $1`, doc.Name).Scan(&before)
		exists := !errors.Is(err, pgx.ErrNoRows)
		if err != nil && exists {
			return nil, err
		}
		changed, err := s.ApplyCoupon(ctx, tx, doc)
		if err != nil {
			return nil, err
		}
		change := Change{Kind: "coupon", Name: doc.Name, Action: action(exists, changed)}
		if change.Action == ApplyUpdate {
			change.Diff = lineDiff(before, doc.Source)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (s *Store) applySegments(ctx context.Context, tx *Tx, f Folder) ([]Change, error) {
	var changes []Change
	for _, doc := range f.Segments {
		sum := sha256.Sum256([]byte(doc.Source))
		var same bool
		var before string
		err := tx.QueryRow(ctx, `SELECT sha256 = $2, source FROM segment WHERE name = $1`, doc.Name, sum[:]).Scan(&same, &before)
		exists := !errors.Is(err, pgx.ErrNoRows)
		if err != nil && exists {
			return nil, err
		}
		if !same {
			if _, err := tx.Exec(ctx, `INSERT INTO segment (name, source, sha256) VALUES ($1, $2, $3)
				ON CONFLICT (name) DO UPDATE SET source = excluded.source, sha256 = excluded.sha256, updated_at = now()`, doc.Name, doc.Source, sum[:]); err != nil {
				return nil, err
			}
		}
		change := Change{Kind: "segment", Name: doc.Name, Action: action(exists, !same)}
		if change.Action == ApplyUpdate {
			change.Diff = lineDiff(before, doc.Source)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (s *Store) applyCampaigns(ctx context.Context, tx *Tx, f Folder) ([]Change, error) {
	var changes []Change
	for _, doc := range f.Campaigns {
		change, err := s.applyCampaign(ctx, tx, doc)
		if err != nil {
			return nil, fmt.Errorf("applying campaign %s: %w", doc.Name, err)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (s *Store) applyCampaign(ctx context.Context, tx *Tx, doc *campaign.Campaign) (Change, error) {
	change := Change{Kind: "campaign", Name: doc.Name}
	if _, err := tx.Exec(ctx, `INSERT INTO campaign (name) VALUES ($1) ON CONFLICT DO NOTHING`, doc.Name); err != nil {
		return change, err
	}
	var id int64
	if err := tx.QueryRow(ctx, `SELECT id, version_no, state FROM campaign WHERE name = $1 FOR NO KEY UPDATE`, doc.Name).Scan(&id, &change.From, &change.State); err != nil {
		return change, err
	}
	sum := sha256.Sum256([]byte(doc.Source))
	// A document that was applied before is that version again.
	err := tx.QueryRow(ctx, `SELECT no FROM campaign_version WHERE campaign_id = $1 AND sha256 = $2`, id, sum[:]).Scan(&change.To)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, `INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256)
			SELECT $1, coalesce(max(no), 0) + 1, $2, $3, $4 FROM campaign_version WHERE campaign_id = $1 RETURNING no`,
			id, doc.Source, campaign.PlanFormat, sum[:]).Scan(&change.To)
	}
	if err != nil {
		return change, err
	}
	if change.To != change.From {
		if _, err := tx.Exec(ctx, `UPDATE campaign SET version_no = $2, updated_at = now() WHERE id = $1`, id, change.To); err != nil {
			return change, err
		}
	}
	change.Action = action(change.From > 0, change.To != change.From)
	if change.Action == ApplyUpdate {
		var before string
		if err := tx.QueryRow(ctx, `SELECT source FROM campaign_version WHERE campaign_id = $1 AND no = $2`, id, change.From).Scan(&before); err != nil {
			return change, err
		}
		change.Diff = lineDiff(before, doc.Source)
	}
	change.Journeys, err = s.VersionCounts(ctx, tx, doc.Name)
	return change, err
}

func (s *Store) applyTemplates(ctx context.Context, tx *Tx, f Folder) ([]Change, error) {
	var changes []Change
	mended := false
	for name, files := range f.Templates {
		change := Change{Kind: "template", Name: name}
		text, err := json.Marshal(files)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		var same bool
		var before map[string]string
		err = tx.QueryRow(ctx, `SELECT t.version_no, v.sha256 = $2, v.files FROM template t JOIN template_version v ON v.name = t.name AND v.no = t.version_no
			WHERE t.name = $1 FOR NO KEY UPDATE OF t`, name, sum[:]).Scan(&change.From, &same, &before)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return nil, err
		}
		change.To, change.Action = change.From, action(change.From > 0, !same)
		if !same {
			mended, change.To = true, change.From+1
			if change.From > 0 {
				change.Diff = filesDiff(before, files)
			}
			batch := &pgx.Batch{}
			batch.Queue(`INSERT INTO template (name, version_no) VALUES ($1, $2)
				ON CONFLICT (name) DO UPDATE SET version_no = excluded.version_no, updated_at = now()`, name, change.To)
			batch.Queue(`INSERT INTO template_version (name, no, files, sha256) VALUES ($1, $2, $3, $4)`, name, change.To, text, sum[:])
			if err := tx.SendBatch(ctx, batch).Close(); err != nil {
				return nil, err
			}
		}
		changes = append(changes, change)
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	if mended {
		if _, err := s.tellJourneys(ctx, tx, "resume", struct{}{}, `j.state = 'parked' AND j.parked_reason = $4`, "render_error"); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

func action(exists, changed bool) string {
	switch {
	case !exists:
		return ApplyCreate
	case changed:
		return ApplyUpdate
	}
	return ApplyUnchanged
}
