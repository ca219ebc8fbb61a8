/** The workers of flows_reload_test.ts. */

import { dieWhenTold } from "./mortal.ts";

dieWhenTold("mortal_flow_worker");
