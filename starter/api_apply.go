package starter

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/template"
)

// maxFolderBody is how much a project folder may be, in bytes.
const maxFolderBody = 24 << 20

type applied struct {
	Applied  bool           `json:"applied" doc:"false with dry_run"`
	Changes  []store.Change `json:"changes"`
	Warnings []FieldProblem `json:"warnings" doc:"what somebody should look at"`
}

func (a *api) applyRoutes() {
	apply := describe(op(http.MethodPost, "/v1/apply", "apply", "Campaigns", "Apply a project folder as a whole"),
		"Campaigns, coupons, segments and templates, in one transaction. What stands there already makes no new version; journeys keep the version they entered with; a template is used in its newest version by everybody, so it has to suit every version that still runs. `dry_run` tells what would change.")
	apply.MaxBodyBytes = maxFolderBody
	apply.Metadata = map[string]any{idempotentRoute: true}
	handle(a, store.ScopeWrite, apply, func(ctx context.Context, in *struct {
		Body struct {
			Files  map[string]string `json:"files" doc:"path in the folder -> text: campaigns/x.yaml, templates/x/email.html …"`
			DryRun bool              `json:"dry_run,omitempty" doc:"change nothing"`
			Prune  bool              `json:"prune,omitempty" doc:"campaigns that aren't in the folder any more take nobody in"`
		}
	}) (*answer[applied], error) {
		folder, problems := a.Config.Compose(in.Body.Files)
		if problems.Err() == nil {
			stale, err := a.staleProblems(ctx, folder)
			if err != nil {
				return nil, err
			}
			problems = append(problems, stale...)
		}
		if problems.Err() != nil {
			p := problem(http.StatusUnprocessableEntity, "invalid_project", "the folder has mistakes; errors names file, line and column of each. Nothing was changed")
			p.Errors = fieldProblems(problems.Errors())
			return nil, p
		}
		changes, err := a.Store.Apply(ctx, StoreFolder(folder), store.ApplyOptions{DryRun: in.Body.DryRun, Prune: in.Body.Prune, Actor: actor(ctx)})
		if err != nil {
			return nil, err
		}
		if changes == nil {
			changes = []store.Change{}
		}
		return reply(applied{!in.Body.DryRun, changes, fieldProblems(problems)})
	})
}

func fieldProblems(problems campaign.Problems) []FieldProblem {
	out := make([]FieldProblem, len(problems))
	for i, p := range problems {
		out[i] = FieldProblem{p.Pos.String(), p.Message}
	}
	return out
}

// StoreFolder gives a composed folder in the form in which it is applied.
func StoreFolder(folder *config.Folder) store.Folder {
	out := store.Folder{Templates: map[string]map[string]string{}}
	for _, file := range folder.Files {
		out.Campaigns = append(out.Campaigns, file.Campaigns...)
		out.Coupons = append(out.Coupons, file.Coupons...)
		out.Segments = append(out.Segments, file.Segments...)
	}
	for name, parsed := range folder.Templates {
		out.Templates[name] = parsed.Files()
	}
	return out
}

// staleProblems checks the new templates against the versions that journeys are
// inside of, as the next send of those uses them too: what is wrong with a
// version now and wasn't with the templates before.
func (a *api) staleProblems(ctx context.Context, folder *config.Folder) (campaign.Problems, error) {
	versions, err := a.Store.RunningVersions(ctx)
	if err != nil {
		return nil, err
	}
	before, err := a.storedTemplates(ctx)
	if err != nil {
		return nil, err
	}
	after := maps.Clone(before)
	maps.Copy(after, folder.Templates)
	newest := map[string]string{}
	var others []*campaign.File
	for _, file := range folder.Files {
		others = append(others, &campaign.File{Name: file.Name, Coupons: file.Coupons, Segments: file.Segments})
		for _, doc := range file.Campaigns {
			newest[doc.Name] = doc.Source
		}
	}
	var problems campaign.Problems
	for _, version := range versions {
		if newest[version.Campaign] == version.Source {
			continue // checked with the folder
		}
		name := fmt.Sprintf("%s, version %d, which journeys are inside of", version.Campaign, version.Version)
		old, unread := campaign.Parse(name, []byte(version.Source))
		if unread.Err() != nil {
			continue // this build reads it no more; its journeys are told so by their worker
		}
		files := append(slices.Clone(others), old)
		known := campaign.Link(files, a.Config.References(before))
		for _, p := range campaign.Link(files, a.Config.References(after)) {
			if p.Severity == campaign.Error && !slices.Contains(known, p) {
				problems = append(problems, p)
			}
		}
	}
	return problems, nil
}

// storedTemplates are the newest versions that the database has.
func (a *api) storedTemplates(ctx context.Context) (map[string]*template.Template, error) {
	all := map[string]*template.Template{}
	for page := (store.Page{Limit: 500}); ; {
		stored, err := a.Store.Templates(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, t := range stored {
			page.After = t.Name
			if parsed, err := template.Parse(t.Name, t.Files); err == nil {
				all[t.Name] = parsed
			}
		}
		if len(stored) < page.Limit {
			return all, nil
		}
	}
}
