// Lengths, regions and probes: Cornerstone's tools draw and move them, `measuring.ts` says what they measure.
import { eventTarget, type Types } from "@cornerstonejs/core";
import { addTool, annotation, EllipticalROITool, Enums, init, LengthTool, ProbeTool, ToolGroupManager } from "@cornerstonejs/tools";
import type { Types as Tools } from "@cornerstonejs/tools";
import { apply, inverse } from "./geometry";
import { isOf, whatIs } from "./images";
import { linesOf, measure } from "./measuring";
import type { Pane } from "./pane";
import type { Source } from "./source";
import type { Measurement, Tool } from "./types";

const KINDS = [
  { kind: "length", tool: LengthTool },
  { kind: "region", tool: EllipticalROITool },
  { kind: "probe", tool: ProbeTool },
] as const;

const LINE = "#ffe14d";
const CHOSEN = "#ffffff";
/** Light on dark, so that it can be read over every picture. */
const LOOK = {
  color: LINE,
  colorHighlighted: CHOSEN,
  colorSelected: CHOSEN,
  lineWidth: "1.5",
  textBoxColor: LINE,
  textBoxColorHighlighted: CHOSEN,
  textBoxColorSelected: CHOSEN,
  textBoxFontSize: "13px",
  textBoxBackground: "rgba(0, 0, 0, 0.6)",
  textBoxLinkLineColor: LINE,
};

let started = false;

function startTools(): void {
  if (started) return;
  started = true;
  init();
  for (const { tool } of KINDS) addTool(tool);
  const { style } = annotation.config;
  const before = style.getDefaultToolStyles();
  style.setDefaultToolStyles({ ...before, global: { ...before.global, ...LOOK } });
}

/** The measurements of one viewer. */
export class Rulers {
  private readonly group: Tools.IToolGroup;
  private readonly off: () => void;

  /**
   * @param key Of the series among the ids of images.
   * @param half How far Cornerstone's places lie beside the centres of pixels: half a pixel without WebGL.
   * @param changed Called after something was measured, moved or taken away.
   */
  constructor(
    private readonly key: string,
    private readonly source: Source,
    words: Record<string, string>,
    private readonly half: number,
    private readonly changed: () => void,
  ) {
    startTools();
    const group = ToolGroupManager.createToolGroup(`viewer-${key}`);
    if (!group) throw new Error("the viewer's tools could not be made");
    this.group = group;
    const getTextLines = (data: { handles: { points: Types.Point3[] } }, target: string) => {
      const found = this.said(data, target);
      return found ? linesOf(found, words) : [];
    };
    for (const { tool } of KINDS) {
      group.addTool(tool.toolName, { getTextLines, calculateStats: false });
      group.setToolEnabled(tool.toolName);
    }
    this.off = this.listen();
  }

  add(pane: Pane, engine: string): void {
    this.group.addViewport(pane.id, engine);
  }

  /** Makes a kind of measurement the one that the pointer draws, or none. */
  use(tool: Tool): void {
    for (const { kind, tool: own } of KINDS)
      if (kind === tool) this.group.setToolActive(own.toolName, { bindings: [{ mouseButton: Enums.MouseBindings.Primary }, { numTouchPoints: 1 }] });
      else if (KINDS.some((one) => one.kind === tool)) this.group.setToolPassive(own.toolName);
      else this.group.setToolEnabled(own.toolName);
  }

  list(): Measurement[] {
    return this.own().flatMap((one) => {
      const found = this.said(one.data as never, one.metadata?.referencedImageId ?? "", one.metadata?.toolName, one.annotationUID);
      return found ? [found] : [];
    });
  }

  /** Takes away the selected measurements; says whether there was one. */
  remove(): boolean {
    const chosen = this.own().filter((one) => one.annotationUID && annotation.selection.isAnnotationSelected(one.annotationUID));
    for (const one of chosen) annotation.state.removeAnnotation(one.annotationUID as string);
    return chosen.length > 0;
  }

  clear(): void {
    for (const one of this.own()) annotation.state.removeAnnotation(one.annotationUID as string);
  }

  close(): void {
    this.clear();
    this.off();
    ToolGroupManager.destroyToolGroup(`viewer-${this.key}`);
  }

  private own(): Tools.Annotation[] {
    return annotation.state.getAllAnnotations().filter((one) => isOf(this.key, one.metadata?.referencedImageId ?? ""));
  }

  private said(
    data: { handles: { points: Types.Point3[] } },
    image: string,
    toolName?: string,
    id = "",
  ): Measurement | null {
    const found = whatIs(image);
    if (!found) return null;
    const { points } = data.handles;
    const back = inverse(found.plane.toWorld);
    const pixels = points.map((point) => {
      const [, row, col] = apply(back, point as [number, number, number]);
      return [row - this.half, col - this.half] as [number, number];
    });
    const byName = KINDS.find((one) => one.tool.toolName === toolName)?.kind;
    const kind = byName ?? (points.length === 1 ? "probe" : points.length === 2 ? "length" : "region");
    return measure(this.source, { id, kind, plane: found.plane, slice: found.slice, pixels });
  }

  private listen(): () => void {
    const names = [Enums.Events.ANNOTATION_COMPLETED, Enums.Events.ANNOTATION_MODIFIED, Enums.Events.ANNOTATION_REMOVED];
    const heard = () => this.changed();
    for (const name of names) eventTarget.addEventListener(name, heard);
    return () => names.forEach((name) => eventTarget.removeEventListener(name, heard));
  }
}
