package examples_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/template"
)

// project reads this folder as `scrip apply` does, its settings included.
func project(t *testing.T) ([]*campaign.File, map[string]*template.Template) {
	t.Helper()
	settings, err := config.Load(".", func(name string) string {
		if strings.HasPrefix(name, "SCRIP_SANDBOX_") { // what `scrip dev` sets
			return "http://127.0.0.1:8080"
		}
		return ""
	})
	require.NoError(t, err)
	files, err := config.ReadFolder(".")
	require.NoError(t, err)
	folder, problems := settings.Compose(files)
	require.Empty(t, problems, "%s", problems.Error())
	require.NotEmpty(t, folder.Files)
	return folder.Files, folder.Templates
}

func TestExamples_FitTogetherWithoutAProblem(t *testing.T) {
	t.Parallel()
	project(t)
}

func TestExamples_CoverEveryVerb(t *testing.T) {
	t.Parallel()
	files, _ := project(t)
	seen := map[campaign.Verb]bool{}
	pools := map[string]bool{}
	for _, file := range files {
		for _, c := range file.Campaigns {
			program, err := c.Compile(1)
			require.NoError(t, err)
			require.Len(t, program.Docs, len(program.Plan.Steps))
			for _, step := range program.Plan.Steps {
				seen[step.Do] = true
			}
		}
		for _, c := range file.Coupons {
			pools[c.Pool] = true
		}
	}
	for _, verb := range []campaign.Verb{campaign.Wait, campaign.Await, campaign.Send, campaign.Assign, campaign.If, campaign.Tag, campaign.Untag, campaign.Notify, campaign.Call, campaign.Withdraw, campaign.EndVerb} {
		require.True(t, seen[verb], "no example has `%s`", verb)
	}
	require.ElementsMatch(t, []string{campaign.PoolShared, campaign.PoolList, campaign.PoolGenerate, campaign.PoolShop}, slices.Collect(maps.Keys(pools)))
}

func TestExamples_EveryTemplateRenders(t *testing.T) {
	t.Parallel()
	files, templates := project(t)
	code := template.Code{Code: "CART-2345678B", Coupon: "cart-10", ExpiresAt: time.Date(2026, 9, 28, 21, 59, 59, 0, time.UTC)}
	vars := map[string]any{
		"contact":         map[string]any{"id": "c1", "first_name": "Anna & Bo", "name": "Anna"},
		"trigger":         map[string]any{"checkout_url": "https://shop.example.com/c?a=1&b=2", "confirm_url": "https://shop.example.com/confirm?t=1", "ticket_id": "4711"},
		"code":            code,
		"coupon":          map[string]any{"amount": 5.0, "currency": "EUR", "min_order": 25.0},
		"unsubscribe_url": "https://scrip.example.com/u/1",
		"now":             time.Date(2026, 9, 21, 10, 0, 0, 0, time.UTC),
		"reason":          "as promised",
	}
	used := map[string]bool{}
	for _, file := range files {
		for _, c := range file.Campaigns {
			program, err := c.Compile(1)
			require.NoError(t, err)
			for _, doc := range program.Docs {
				if doc.Send == nil {
					continue
				}
				used[doc.Send.Template] = true
				out, err := templates[doc.Send.Template].Render(doc.Send.Channel, vars)
				require.NoError(t, err)
				require.NotEmpty(t, out.Text, doc.Send.Template)
				require.NotContains(t, out.Text, "{{")
				if doc.Send.Channel == template.SMS {
					require.LessOrEqual(t, len(out.Text), 160, doc.Send.Template)
					continue
				}
				require.NotEmpty(t, out.Subject)
				require.Contains(t, out.HTML, "https://scrip.example.com/u/1")
				require.Contains(t, out.Text, "https://scrip.example.com/u/1")
				require.Contains(t, out.HTML, "Anna &amp; Bo")
			}
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(templates)), slices.Collect(maps.Keys(used)), "every template is used")
}
