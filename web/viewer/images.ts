// Cornerstone asks for images and their geometry by id; here both are made of raw values. No DICOM is read.
import { cache, Enums, imageLoader, metaData, setUseCPURendering, init, utilities, type Types } from "@cornerstonejs/core";
import { apply, column, unit, type Plane } from "./geometry";
import { rangeOf, type Source } from "./source";
import type { Description } from "./types";

const SCHEME = "diascope";
const KEPT = 64;
const MEMORY = 4 * 1024 ** 3;

interface Room {
  source: Source;
  planes: Map<string, Plane>;
  /** Ids of slices that were computed, the newest last. */
  cut: string[];
}

const rooms = new Map<string, Room>();
let started = false;
let opened = 0;

/** Starts Cornerstone once. Drawing without WebGL is the default: it is as fast for single slices, and works everywhere. */
export function startCornerstone(rendering: "cpu" | "gpu"): void {
  if (started) return;
  started = true;
  if (rendering === "gpu") init();
  setUseCPURendering(rendering === "cpu");
  cache.setMaxCacheSize(MEMORY);
  imageLoader.registerImageLoader(SCHEME, (id) => ({ promise: Promise.resolve(imageOf(id)) }));
  metaData.addProvider((type: string, id: unknown) => (typeof id === "string" ? factsOf(type, id) : undefined), 10000);
}

/** Gives a series a room of its own among the ids; the answer names it. */
export function enroll(source: Source, planes: Plane[]): string {
  const key = String((opened += 1));
  rooms.set(key, { source, planes: new Map(planes.map((plane) => [plane.name, plane])), cut: [] });
  return key;
}

/** Forgets a series and its images. */
export function dismiss(key: string): void {
  redraw(key);
  rooms.delete(key);
}

/** Forgets the images of a series, so that they are made anew when they are asked for. */
export function redraw(key: string): void {
  const room = rooms.get(key);
  for (const plane of room?.planes.values() ?? [])
    for (let slice = 0; slice < plane.count; slice++) forget(idOf(key, plane, slice));
}

export function idOf(key: string, plane: Plane, slice: number): string {
  return `${SCHEME}:${key}/${plane.name}/${slice}`;
}

/** Whether an id is one of a series. */
export function isOf(key: string, id: string): boolean {
  return id.startsWith(`${SCHEME}:${key}/`);
}

/** What an id stands for, or null for ids of others. */
export function whatIs(id: string): { source: Source; plane: Plane; slice: number; room: Room } | null {
  const [key, name, slice] = id.slice(id.lastIndexOf(":") + 1).split("/");
  const room = id.includes(`${SCHEME}:`) ? rooms.get(key ?? "") : undefined;
  const plane = room?.planes.get(name ?? "");
  return room && plane ? { source: room.source, plane, slice: Number(slice), room } : null;
}

function forget(id: string): void {
  if (cache.getImageLoadObject(id)) cache.removeImageLoadObject(id, { force: true });
}

function imageOf(id: string): Types.IImage {
  const found = whatIs(id);
  if (!found) throw new Error(`no series is open for ${id}`);
  const { source, plane, slice, room } = found;
  if (plane.name !== "stack") remember(room, id);
  const values = source.drawn(plane, slice);
  const [low, high] = source.isColour ? [0, 255] : rangeOf(values);
  const numberOfComponents = source.description.samples;
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({
    scalarData: values, width: plane.columns, height: plane.rows, numberOfComponents,
  });
  const window = source.isColour ? { centre: 128, width: 256 } : { centre: (low + high) / 2, width: high - low + 1 };
  return {
    imageId: id,
    minPixelValue: low,
    maxPixelValue: high,
    slope: 1,
    intercept: 0,
    windowCenter: window.centre,
    windowWidth: window.width,
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR,
    getPixelData: () => values,
    getCanvas: () => undefined as unknown as HTMLCanvasElement,
    rows: plane.rows,
    columns: plane.columns,
    height: plane.rows,
    width: plane.columns,
    color: source.isColour,
    rgba: false,
    numberOfComponents,
    rowPixelSpacing: plane.spacing[0],
    columnPixelSpacing: plane.spacing[1],
    invert: false,
    photometricInterpretation: source.isColour ? "RGB" : "MONOCHROME2",
    sizeInBytes: values.byteLength,
    dataType: values.constructor.name as Types.PixelDataTypedArrayString,
    voxelManager,
  };
}

/** Slices that were computed are dropped again, the oldest first. */
function remember(room: Room, id: string): void {
  room.cut.push(id);
  if (room.cut.length > KEPT * 3) forget(room.cut.shift() as string);
}

function factsOf(type: string, id: string): unknown {
  const found = id.startsWith(`${SCHEME}:`) ? whatIs(id) : null;
  if (!found) return undefined;
  const { plane, slice, source } = found;
  if (type === Enums.MetadataModules.IMAGE_PLANE) return placeOf(plane, slice, source.description);
  if (type === Enums.MetadataModules.GENERAL_SERIES) return { modality: "OT", seriesInstanceUID: source.description.series };
  if (type === Enums.MetadataModules.IMAGE_PIXEL) return pixelsOf(source);
  if (type === Enums.MetadataModules.VOI_LUT) return {};
  return undefined;
}

function placeOf(plane: Plane, slice: number, description: Description): object {
  const rowCosines = unit(column(plane.toWorld, 2));
  const columnCosines = unit(column(plane.toWorld, 1));
  return {
    frameOfReferenceUID: description.frame_of_reference ?? description.series,
    rows: plane.rows,
    columns: plane.columns,
    imagePositionPatient: apply(plane.toWorld, [slice, 0, 0]),
    imageOrientationPatient: [...rowCosines, ...columnCosines],
    rowCosines,
    columnCosines,
    rowPixelSpacing: plane.spacing[0],
    columnPixelSpacing: plane.spacing[1],
    pixelSpacing: plane.spacing,
    usingDefaultValues: !description.physical,
  };
}

function pixelsOf(source: Source): object {
  const bits = source.scale ? 16 : source.description.type === "uint8" ? 8 : 16;
  return {
    bitsAllocated: bits,
    bitsStored: bits,
    highBit: bits - 1,
    samplesPerPixel: source.description.samples,
    pixelRepresentation: source.description.type === "int16" ? 1 : 0,
    photometricInterpretation: source.isColour ? "RGB" : "MONOCHROME2",
  };
}
