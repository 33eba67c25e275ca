// What a dashboard and each kind of panel in it may hold, by the types that Grafana publishes.
import type { Dashboard, Panel, RowPanel } from '@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as timeseries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';
import type * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as bargauge from '@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as states from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as heatmap from '@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
export interface Checked {
  dashboard: Dashboard;
  panel: Panel;
  row: RowPanel;
  timeseries: { options: Partial<timeseries.Options>; custom?: Partial<timeseries.FieldConfig> };
  stat: { options: Partial<stat.Options> };
  bargauge: { options: Partial<bargauge.Options> };
  table: { options: Partial<table.Options>; custom?: Partial<table.FieldConfig> };
  "state-timeline": { options: Partial<states.Options>; custom?: Partial<states.FieldConfig> };
  heatmap: { options: Partial<heatmap.Options>; custom?: Partial<heatmap.FieldConfig> };
}
