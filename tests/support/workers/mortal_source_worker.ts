/** The workers of source_limits_test.ts. */

import { dieWhenTold } from "./mortal.ts";

dieWhenTold("mortal_source_worker");
