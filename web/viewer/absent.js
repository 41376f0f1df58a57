// Stands for parts of libraries that the viewer never calls, so that they are not shipped.
export default {};
