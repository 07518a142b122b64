// Package catalog lists the vendors. Adding one is a line here and a folder
// beside it.
package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/generic"
	"scrip.dev/scrip/integrations/httpcall"
	"scrip.dev/scrip/integrations/sendgrid"
	"scrip.dev/scrip/integrations/shopify"
	"scrip.dev/scrip/integrations/twilio"
)

var vendors = []integrations.Descriptor{
	generic.Descriptor,
	httpcall.Descriptor,
	sendgrid.Descriptor,
	shopify.Descriptor,
	twilio.Descriptor,
}

// All gives every vendor, by title.
func All() []integrations.Descriptor {
	return slices.SortedFunc(slices.Values(vendors), func(a, b integrations.Descriptor) int {
		return cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
	})
}

// Descriptor finds a vendor by the word that scrip.yaml has for it. The error of
// an unknown one names the nearest, and all there are.
func Descriptor(kind string) (integrations.Descriptor, error) {
	kinds := make([]string, len(vendors))
	for i, d := range vendors {
		if d.Kind == kind {
			return d, nil
		}
		kinds[i] = d.Kind
	}
	nearest := slices.MinFunc(kinds, func(a, b string) int {
		return levenshtein.ComputeDistance(a, kind) - levenshtein.ComputeDistance(b, kind)
	})
	return integrations.Descriptor{}, fmt.Errorf("the kind %.40q is not known; nearest is %q, and there are: %s",
		kind, nearest, strings.Join(kinds, ", "))
}
