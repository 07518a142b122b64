package secrets_test

import (
	"fmt"
	"sort"
	"testing"
)

func TestPromise7_HistoriesHoldIdsNeverPersonalData(t *testing.T) {
	w := open(t)
	t.Cleanup(w.dump)
	w.drive()
	found := w.scraped()
	told, workflows, events := w.everythingTold()
	found = append(found, told...)
	places, values := w.stored()
	w.stop()
	for _, f := range found {
		t.Errorf("%s", f)
	}
	for kind, at := range places {
		var names []string
		for place := range at {
			names = append(names, place)
		}
		sort.Strings(names)
		fmt.Println(kind, names)
	}
	t.Log(workflows, events, values)
}
