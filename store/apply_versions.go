package store

import "context"

// RunningVersion is a version of a campaign that journeys are inside of, or that
// new ones enter with.
type RunningVersion struct {
	Campaign string
	Version  int
	Source   string
}

// RunningVersions gives all of them: a template has to suit each.
func (s *Store) RunningVersions(ctx context.Context) ([]RunningVersion, error) {
	return list[RunningVersion](ctx, s.Pool, "running versions", `
		SELECT c.name, v.no, v.source FROM campaign c JOIN campaign_version v ON v.campaign_id = c.id
		WHERE (v.no = c.version_no AND c.state <> 'stopped')
			OR EXISTS (SELECT 1 FROM journey j WHERE j.campaign_id = c.id AND j.version_no = v.no AND j.state <> 'ended')
		ORDER BY c.name, v.no`)
}

// TemplateSummary is a template in a list.
type TemplateSummary struct {
	Name    string            `json:"name"`
	Version int               `json:"version"`
	Files   map[string]string `json:"files" doc:"file name -> text, as applied"`
}

// TemplateSummary shows the newest version of a template. The error wraps
// ErrNotFound.
func (s *Store) TemplateSummary(ctx context.Context, name string) (TemplateSummary, error) {
	return one[TemplateSummary](ctx, s.Pool, "template "+name, `SELECT t.name, t.version_no, v.files
		FROM template t JOIN template_version v ON v.name = t.name AND v.no = t.version_no WHERE t.name = $1`, name)
}

// Templates lists the newest versions by name.
func (s *Store) Templates(ctx context.Context, p Page) ([]TemplateSummary, error) {
	return list[TemplateSummary](ctx, s.Pool, "templates", `SELECT t.name, t.version_no, v.files
		FROM template t JOIN template_version v ON v.name = t.name AND v.no = t.version_no
		WHERE t.name > $1 ORDER BY t.name LIMIT $2`, p.After, p.Limit)
}
